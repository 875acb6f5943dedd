//! Turns a request into the arguments, environment and files of its `ansible-playbook`.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::accepted::Accepted;
use crate::agent::Agent;
use crate::material::Sourcing;
use crate::owner::Owner;
use crate::settings::Home;
use crate::task::Task;
use crate::unready::Unready;
use crate::{arguments, environ, inventory, sockets};

/// What the host is told to run; `protocol.py` reads it.
#[derive(Debug, Serialize)]
pub(crate) struct JobSpec {
    pub(crate) argv: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) cwd: PathBuf,
    pub(crate) nonce: String,
    pub(crate) color: bool,
    /// The home of the job's user, if the job has another and the user database knows that one.
    pub(crate) users_home: Option<PathBuf>,
    pub(crate) fallback_inventory: Vec<String>,
    /// Whether an inventory that names no hosts is an error.
    pub(crate) require_hosts: bool,
    /// Whether processes that the playbook leaves running are ended with it.
    pub(crate) end_background: bool,
    /// Whether its programs must not get more privileges than it has.
    pub(crate) no_new_privileges: bool,
    /// The user that the job runs as, unless that is the service's.
    pub(crate) user: Option<Value>,
    /// Folders that take precedence over those of the configuration.
    pub(crate) collections: Vec<PathBuf>,
    pub(crate) roles: Vec<PathBuf>,
}

/// A job that is ready to start.
pub(crate) struct Prepared {
    pub(crate) spec: JobSpec,
    /// The rules that bind the job, if it is isolated.
    pub(crate) rules: Option<OwnedFd>,
    /// The folder of the job's source.
    pub(crate) root: PathBuf,
    pub(crate) commit: Option<String>,
    /// The host keys that the job accepts.
    pub(crate) accepted: Option<Accepted>,
    /// Holds the ssh key until the job has ended.
    pub(crate) _agent: Option<Agent>,
}

impl Task<'_> {
    /// Gets what the job needs, writes the files that it reads into its folder, and returns what to run.
    pub(crate) async fn prepare(&self) -> Result<Prepared, Unready> {
        let request = self.request;
        let users_home = self.users_home();
        let mut env = environ::variables(self.settings, self.workspace, users_home.as_deref())?;
        self.workspace.move_in().await?;
        let sourcing = Sourcing { task: self, env: &env };
        let (material, mut sources) = tokio::try_join!(sourcing.prepare(), self.inventories())?;
        let mut argv = vec!["ansible-playbook".to_owned()];
        if !self.settings.configured_inventory_first {
            argv.extend(sources.drain(..).map(|source| format!("--inventory={source}")));
        }
        self.add_extra_vars(&mut argv)?;
        argv.extend(arguments::flags_of(&request.options));
        inventory::variables(&request.inventory, &mut env);
        env.extend(arguments::variables(&request.options));
        let agent = self.keys.hand_over(self.workspace, &mut argv, &mut env).await?;
        let accepted = self.know_hosts(&mut env).await?;
        argv.extend(self.settings.extra_arguments.iter().cloned());
        argv.extend(material.playbooks);
        let cwd = self
            .settings
            .working_folder
            .clone()
            .unwrap_or_else(|| material.folder.clone());
        environ::add_configuration(&mut env, &material.root, &cwd, &material.folder);
        if self.settings.home == Home::Callers {
            sockets::shorten(&mut env, &cwd, &self.workspace.sockets());
        }
        let isolation = &self.settings.isolation;
        let spec = JobSpec {
            argv,
            env,
            cwd,
            nonce: uuid::Uuid::new_v4().simple().to_string(),
            color: self.settings.color,
            users_home,
            fallback_inventory: sources,
            require_hosts: self.settings.home == Home::Private,
            end_background: self.settings.home == Home::Private,
            no_new_privileges: isolation.no_new_privileges(),
            user: self.workspace.owner().map(Owner::told).cloned(),
            collections: material.collections,
            roles: material.roles,
        };
        let rules = isolation.rules(self.workspace.path()).transpose()?;
        self.workspace.hand_over().await?;
        Ok(Prepared {
            spec,
            rules,
            root: material.root,
            commit: material.commit,
            accepted,
            _agent: agent,
        })
    }

    /// Returns the home whose files the job reads as well: that of the user that it runs as, if the user database knows one.
    fn users_home(&self) -> Option<PathBuf> {
        match (self.settings.home, self.workspace.owner()) {
            (Home::Callers, _) => None,
            (Home::Private, Some(owner)) => owner.user().home.clone(),
            (Home::Private, None) => std::env::home_dir(),
        }
    }

    fn add_extra_vars(&self, argv: &mut Vec<String>) -> Result<(), Unready> {
        let request = self.request;
        if !request.extra_vars.is_empty() {
            let literal = !request.options.template_extra_vars;
            let (file, path) = self.workspace.create("extra_vars.json")?;
            let mut file = BufWriter::new(file);
            write_variables(&mut file, &request.extra_vars, literal)?;
            file.flush()?;
            argv.push(format!("--extra-vars=@{}", path.display()));
        }
        Ok(())
    }
}

/// Writes variables as JSON; literal ones in the form that tells Ansible not to look for templates in them.
fn write_variables(file: impl Write, vars: &Map<String, Value>, literal: bool) -> io::Result<()> {
    let written = match literal {
        true => serde_json::to_writer(file, &Entries(vars)),
        false => serde_json::to_writer(file, vars),
    };
    written.map_err(io::Error::from)
}

/// Variables whose strings are data. Large ones are written as they are, without a copy.
struct Entries<'a>(&'a Map<String, Value>);
struct Literal<'a>(&'a Value);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, Literal(value))))
    }
}

impl Serialize for Literal<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) => serializer.collect_map([("__ansible_unsafe", text)]),
            Value::Array(items) => serializer.collect_seq(items.iter().map(Literal)),
            Value::Object(entries) => Entries(entries).serialize(serializer),
            other => other.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_string_in_extra_vars_is_marked_as_data_unless_templates_are_wanted() {
        let vars = json!({"a": "{{ x }}", "b": [1, {"c": "d"}]});
        let vars = vars.as_object().cloned().unwrap_or_default();
        let text = |literal| {
            let mut text = Vec::new();
            drop(write_variables(&mut text, &vars, literal));
            String::from_utf8_lossy(&text).into_owned()
        };
        assert_eq!(
            text(true),
            r#"{"a":{"__ansible_unsafe":"{{ x }}"},"b":[1,{"c":{"__ansible_unsafe":"d"}}]}"#
        );
        assert_eq!(text(false), r#"{"a":"{{ x }}","b":[1,{"c":"d"}]}"#);
    }
}
