//! Turns a request's inventory into the arguments and files that pass it to Ansible.

mod listing;

use std::collections::BTreeMap;

use callboard_core::base::secret::Secret;
use callboard_http::{FetchError, Guard, Limits};
use callboard_kind_ansible::inventory::{
    DynamicInventory, GitInventory, Inventory, TypedInventory, UrlFormat, UrlInventory,
};
use callboard_kind_ansible::policy::private_host_advice;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::blocking::on_a_thread;
use crate::keys::inventory_profile;
use crate::settings::Home;
use crate::task::Task;
use crate::unready::Unready;
use crate::{archive, bounds};

const FETCH_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);
/// The plugins that Ansible enables by default.
const DEFAULT_PLUGINS: &str = "host_list,script,auto,yaml,ini,toml";

impl Task<'_> {
    /// Returns the values for `--inventory`, in order; puts the files that they name into the job's folder.
    pub(crate) async fn inventories(&self) -> Result<Vec<String>, Unready> {
        let inventory = &self.request.inventory;
        let mut sources = Vec::new();
        for (number, one) in inventory.parts().iter().enumerate() {
            sources.push(self.inventory(one, number).await.map_err(Unready::of_inventory)?);
        }
        // what the inventory names is up to the caller of `callboard run`, as with ansible-playbook
        let ours = self.settings.home == Home::Private || self.settings.configured_inventory_first;
        if ours && inventory.parts().iter().any(lists_localhost) {
            let path = self
                .workspace
                .write("localhost.json", this_machine().to_string().as_bytes())?;
            sources.push(path.display().to_string());
        }
        Ok(sources)
    }

    async fn inventory(&self, inventory: &Inventory, number: usize) -> Result<String, Unready> {
        let typed = match inventory {
            Inventory::Text(text) => return Ok(text.clone()),
            Inventory::Several(_) => return Err(Unready::inventory("A list of inventories holds a list.")),
            Inventory::Typed(typed) => typed,
        };
        match typed {
            // plugins that would take a file for their configuration look at its name, and ignore `.json`
            TypedInventory::Inline(inline) => self.write_inventory(
                &format!("inventory-{number}.json"),
                inline.structure().to_string().as_bytes(),
            ),
            TypedInventory::Git(git) => self.git_inventory(git, number).await,
            TypedInventory::Url(url) => self.url_inventory(url, number).await,
            TypedInventory::Dynamic(dynamic) => self.dynamic_inventory(dynamic, number),
        }
    }

    async fn git_inventory(&self, inventory: &GitInventory, number: usize) -> Result<String, Unready> {
        let scratch = self.workspace.scratch()?;
        let git = inventory.git();
        let wanted = self.wanted(git, &scratch)?;
        let tree = self.workspace.path().join(format!("inventory-{number}"));
        let commit = self.repositories.checkout(&wanted, &tree).await?;
        let found = archive::inside(&tree, &inventory.path);
        let found = found.ok_or_else(|| {
            let (repo, path) = (&inventory.repo, &inventory.path);
            Unready::inventory(format!(
                "The repository {repo} has no inventory {path:?} at commit {commit}."
            ))
        })?;
        let path = found.display().to_string();
        let checked = on_a_thread(move |going| bounds::check_files(&found, going)).await?;
        checked.map_err(|wrong| {
            let (repo, path) = (&inventory.repo, &inventory.path);
            Unready::inventory(format!("The inventory {path:?} of {repo} {wrong}."))
        })?;
        Ok(path)
    }

    async fn url_inventory(&self, inventory: &UrlInventory, number: usize) -> Result<String, Unready> {
        let policy = self.reach.policy.clone();
        let guard = Guard::allowing(move |host| policy.allows_private_host(host));
        let headers = header_map(&self.keys.headers(inventory)?)?;
        let limits = Limits {
            max_bytes: bounds::MAX_BYTES,
            timeout: FETCH_TIMEOUT,
        };
        let fetched = callboard_http::get(&inventory.url, &headers, limits, &guard).await;
        let bytes = fetched.map_err(|error| {
            let place = without_query(&inventory.url);
            let hint = match &error {
                FetchError::Private { host } => format!("; {}", private_host_advice(host)),
                _ => String::new(),
            };
            Unready::inventory(format!("The inventory at {place} could not be fetched: {error}{hint}.")).caused(error)
        })?;
        let bytes = checked(bytes, without_query(&inventory.url)).await?;
        let bytes = match inventory.format {
            UrlFormat::Json => listing::structure(bytes, without_query(&inventory.url))?,
            UrlFormat::Yaml => listing::groups(bytes, without_query(&inventory.url))?,
            UrlFormat::Ini => bytes,
        };
        // YAML gets no extension, so that no plugin takes the file for its configuration
        let name = match inventory.format {
            UrlFormat::Json => format!("inventory-{number}.json"),
            UrlFormat::Yaml => format!("inventory-{number}"),
            UrlFormat::Ini => format!("inventory-{number}.ini"),
        };
        self.write_inventory(&name, &bytes)
    }

    fn dynamic_inventory(&self, inventory: &DynamicInventory, number: usize) -> Result<String, Unready> {
        let mut config = inventory.config.clone();
        config.insert("plugin".to_owned(), inventory.plugin.clone().into());
        if inventory.cloud_credential.is_some() {
            config.insert("profile".to_owned(), inventory_profile(number).into());
        }
        let short = inventory.plugin.rsplit('.').next().unwrap_or_default();
        self.write_inventory(
            &format!("inventory-{number}.{short}.yml"),
            Value::Object(config).to_string().as_bytes(),
        )
    }

    fn write_inventory(&self, name: &str, content: &[u8]) -> Result<String, Unready> {
        Ok(self.workspace.write(name, content)?.display().to_string())
    }
}

/// Adds the variables that make Ansible fail if it cannot read an inventory, and that enable the plugins which are named.
pub(crate) fn variables(inventory: &Inventory, env: &mut BTreeMap<String, String>) {
    let typed: Vec<&TypedInventory> = inventory
        .parts()
        .iter()
        .filter_map(|one| match one {
            Inventory::Typed(typed) => Some(typed),
            _ => None,
        })
        .collect();
    if typed.is_empty() {
        return;
    }
    if inventory.parts().iter().all(is_data) {
        // an inventory in a request holds only hosts and groups
        env.insert("ANSIBLE_INVENTORY_ENABLED".to_owned(), "host_list,yaml".to_owned());
    }
    env.entry("ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED".to_owned())
        .or_insert_with(|| "true".to_owned());
    let named: Vec<&str> = typed
        .iter()
        .filter_map(|typed| match typed {
            TypedInventory::Dynamic(dynamic) => Some(dynamic.plugin.as_str()),
            _ => None,
        })
        .collect();
    if !named.is_empty() {
        let known = env
            .get("ANSIBLE_INVENTORY_ENABLED")
            .map_or(DEFAULT_PLUGINS, String::as_str);
        let enabled = format!("{known},{}", named.join(","));
        env.insert("ANSIBLE_INVENTORY_ENABLED".to_owned(), enabled);
    }
}

/// Returns the inventory if it is neither too large nor too deep for Ansible.
async fn checked(bytes: Vec<u8>, place: &str) -> Result<Vec<u8>, Unready> {
    let checked = on_a_thread(move |_| Ok(bounds::check(&bytes).map(|()| bytes))).await?;
    checked.map_err(|wrong| Unready::inventory(format!("The inventory at {place} {wrong}.")))
}

fn header_map(headers: &[(String, Secret)]) -> Result<HeaderMap, Unready> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let wrong = || {
            Unready::inventory(format!(
                "The header {name:?} of the inventory's request cannot be sent."
            ))
        };
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| wrong())?;
        value.set_sensitive(true);
        map.insert(HeaderName::try_from(name.as_str()).map_err(|_| wrong())?, value);
    }
    Ok(map)
}

fn is_data(inventory: &Inventory) -> bool {
    match inventory {
        Inventory::Text(text) => text.contains(','),
        Inventory::Typed(typed) => matches!(typed, TypedInventory::Inline(_)),
        Inventory::Several(_) => false,
    }
}

fn lists_localhost(inventory: &Inventory) -> bool {
    matches!(inventory, Inventory::Text(text) if text.contains(',') && text.split(',').any(|host| host.trim() == "localhost"))
}

/// Returns what Ansible knows about `localhost` when no inventory names it. With a list that names it, as the default one
/// does, Ansible would otherwise reach this machine through ssh.
fn this_machine() -> Value {
    json!({"all": {"hosts": {"localhost": {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }}}})
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}
