//! What a request uses, as far as callers can be bound to it.

use callboard_core::access::{Use, Uses};
use callboard_core::base::json::escape;
use callboard_core::base::object::Object;
use serde_json::{Map, Value};

use crate::inventory::{Inventory, TypedInventory};
use crate::request::AnsibleRequest;
use crate::source::{Source, TypedSource};

const PLAYBOOK: &str = "playbook";
const ROLE: &str = "role";
const SOURCE: &str = "source";
const INVENTORY: &str = "inventory";
/// What requests use: a playbook or a role, the repository that it comes from, and inventories.
pub const SUBJECTS: &[&str] = &[PLAYBOOK, ROLE, SOURCE, INVENTORY];
/// Variables with this beginning say how Ansible reaches a host, or which host it is.
const OF_CONNECTIONS: &str = "ansible_";
/// And one that connection plugins take for the host itself.
const HOST: &str = "inventory_hostname";

impl AnsibleRequest {
    /// Returns what the request uses.
    #[must_use]
    pub(crate) fn uses(&self) -> Uses {
        let mut uses = Uses::default();
        let what = what(&self.source);
        let subject = what.subject;
        uses.0.push(what);
        if let Some(git) = self.source.git() {
            uses.add(SOURCE, Some(git.repo.to_owned()), "/source/repo");
        }
        let inventories = || self.inventory.places("/inventory");
        let mut of_inventories: Vec<Use> = inventories().flat_map(inventories_of).collect();
        of_inventories.dedup();
        uses.0.extend(of_inventories);
        for (pointer, _) in inventories().filter(|(_, part)| is_elsewhere(part)) {
            // it has variables, which can be code; who is bound to inventories is bound to those of this one
            uses.0.push(Use {
                subject,
                pointer,
                unless: Some(INVENTORY),
                ..Use::default()
            });
        }
        for pointer in self.code() {
            // whatever the playbook is called
            uses.add(subject, None, pointer.as_str());
            uses.add(INVENTORY, None, pointer);
        }
        if self.options.connection.is_some() {
            uses.add(INVENTORY, None, "/options/connection");
        }
        if let Source::Typed(TypedSource::CollectionRole(role)) = &self.source
            && role.galaxy_server.is_some()
        {
            // on another server, another may have taken the name
            uses.add(ROLE, None, "/source/galaxy_server");
        }
        for named in self.credential_uses() {
            uses.add(Uses::CREDENTIAL, Some(named.name), named.pointer);
        }
        for (pointer, part) in self.with_references() {
            add_external(&Value::Object(part.0), &pointer, &mut uses);
        }
        uses
    }

    /// Returns the parts of the request that may refer to secrets, with their pointers. Variables are data, and may be large.
    fn with_references(&self) -> Vec<(String, Object)> {
        let git = self.source.git().and_then(|git| git.credential);
        let galaxy = match &self.source {
            Source::Typed(TypedSource::CollectionRole(role)) => role.galaxy_credential.as_ref(),
            _ => None,
        };
        let is_small = |(_, part): &(String, &Inventory)| !matches!(part, Inventory::Typed(TypedInventory::Inline(_)));
        let inventories = self.inventory.places("/inventory").filter(is_small);
        let mut parts: Vec<(String, Object)> = inventories.map(|(pointer, part)| (pointer, Object::of(part))).collect();
        parts.extend(git.map(|git| ("/source/git_credential".to_owned(), Object::of(git))));
        parts.extend(galaxy.map(|galaxy| ("/source/galaxy_credential".to_owned(), Object::of(galaxy))));
        parts.push(("/credentials".to_owned(), Object::of(&self.credentials)));
        parts.push(("/options".to_owned(), Object::of(&self.options)));
        parts
    }

    /// Returns where the request itself says more than a fixed playbook with fixed hosts would run: variables of connections name
    /// programs, users and hosts, templates run lookups, an inventory in the request has variables of both kinds, and options name users
    /// and variables of the environment.
    fn code(&self) -> Vec<String> {
        let none = Map::new();
        let role_vars = match &self.source {
            Source::Typed(TypedSource::Role(role)) => &role.role_vars,
            Source::Typed(TypedSource::CollectionRole(role)) => &role.role_vars,
            _ => &none,
        };
        let of_connections = |name: &&String| name.starts_with(OF_CONNECTIONS) || *name == HOST;
        let variables = [("/extra_vars", &self.extra_vars), ("/source/role_vars", role_vars)];
        let mut code = Vec::new();
        for (pointer, variables) in variables {
            let names = variables.keys().filter(of_connections);
            code.extend(names.map(|name| format!("{pointer}/{}", escape(name))));
        }
        let is_inline = |(_, part): &(String, &Inventory)| {
            matches!(
                part,
                Inventory::Typed(TypedInventory::Inline(_) | TypedInventory::Dynamic(_))
            )
        };
        let inventories = self.inventory.places("/inventory").filter(is_inline);
        code.extend(inventories.map(|(pointer, _)| pointer));
        let options = &self.options;
        for (name, is_given) in [
            ("template_extra_vars", options.template_extra_vars),
            ("become", options.r#become),
            ("become_user", options.become_user.is_some()),
            ("become_method", options.become_method.is_some()),
            ("remote_user", options.remote_user.is_some()),
            ("environment", !options.environment.is_empty()),
        ] {
            if is_given {
                code.push(format!("/options/{name}"));
            }
        }
        code
    }
}

/// Returns what runs: a playbook by its path in the playbooks folder, its collection's name or `REPOSITORY//PATH`, a role by its name,
/// `COLLECTION.NAME` or `REPOSITORY//PATH`; its version is the branch, or that of the collection. A playbook in the request has no name.
fn what(source: &Source) -> Use {
    let branch = source.git().and_then(|git| git.branch).map(str::to_owned);
    let of = |repo: &Option<String>, path: &str| match repo {
        None => path.to_owned(),
        Some(repo) => format!("{repo}//{path}"),
    };
    let pointer = match source {
        Source::Playbook(_) => "/playbook",
        Source::Typed(_) => "/source",
    };
    let (subject, name, version) = match source {
        Source::Playbook(path) => (PLAYBOOK, Some(path.clone()), None),
        Source::Typed(TypedSource::Playbook(playbook)) => (PLAYBOOK, Some(of(&playbook.repo, &playbook.path)), branch),
        Source::Typed(TypedSource::Role(role)) => {
            let parts = [role.path.as_deref(), role.role.as_deref()];
            let path: Vec<&str> = parts.into_iter().flatten().collect();
            (ROLE, Some(of(&role.repo, &path.join("/"))), branch)
        }
        Source::Typed(TypedSource::CollectionRole(role)) => {
            let name = format!("{}.{}", role.collection, role.role);
            (ROLE, Some(name), role.version.clone())
        }
        Source::Typed(TypedSource::Inline(_)) => (PLAYBOOK, None, None),
    };
    Use {
        subject,
        name,
        version,
        pointer: pointer.to_owned(),
        unless: None,
    }
}

/// Returns whether an inventory is somewhere else, with its variables.
fn is_elsewhere(inventory: &Inventory) -> bool {
    matches!(
        inventory,
        Inventory::Typed(TypedInventory::Git(_) | TypedInventory::Url(_))
    )
}

fn inventories_of((pointer, inventory): (String, &Inventory)) -> Vec<Use> {
    let (name, version) = match inventory {
        Inventory::Text(hosts) => {
            let hosts = hosts.split(',').map(str::trim).filter(|host| !host.is_empty());
            let named = hosts.map(|host| Use {
                subject: INVENTORY,
                // what is before an @ is a user, and what is behind it another host
                name: Some(host.to_owned()).filter(|host| !host.contains('@')),
                pointer: pointer.clone(),
                ..Use::default()
            });
            return named.collect();
        }
        Inventory::Several(_) => return inventory.places(&pointer).flat_map(inventories_of).collect(),
        Inventory::Typed(TypedInventory::Git(git)) => (Some(format!("{}//{}", git.repo, git.path)), git.branch.clone()),
        Inventory::Typed(TypedInventory::Url(url)) => (Some(url.url.clone()), None),
        // in the request, or found as the request says
        Inventory::Typed(TypedInventory::Inline(_) | TypedInventory::Dynamic(_)) => (None, None),
    };
    vec![Use {
        subject: INVENTORY,
        name,
        version,
        pointer,
        unless: None,
    }]
}

/// Adds the secrets that are kept elsewhere, as `TYPE:PLACE`, and the roles of AWS that are assumed.
fn add_external(value: &Value, pointer: &str, uses: &mut Uses) {
    match value {
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            let place = match text("type") {
                Some("hashicorp_vault") => text("vault_path"),
                Some("aws_secretsmanager") => text("secret_id"),
                Some("aws_ssm") => text("name"),
                _ => None,
            };
            if let (Some(keeper), Some(place)) = (text("type"), place) {
                uses.add(Uses::CREDENTIAL, Some(format!("{keeper}:{place}")), pointer);
            }
            if let Some(role) = text("role_arn") {
                uses.add(Uses::CREDENTIAL, Some(role.to_owned()), format!("{pointer}/role_arn"));
            }
            for (name, value) in fields {
                add_external(value, &format!("{pointer}/{}", escape(name)), uses);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                add_external(item, &format!("{pointer}/{index}"), uses);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use callboard_core::base::fields::{Faults, Fields};
    use serde_json::json;

    use super::*;

    fn uses(body: &Value) -> Uses {
        let (mut faults, none) = (Faults::default(), json!({}));
        let fields = Fields::of(body, "", &mut faults);
        let options = Fields::of(body.get("options").unwrap_or(&none), "/options", &mut faults);
        let request = fields
            .zip(options)
            .and_then(|(mut fields, mut options)| AnsibleRequest::read(&mut fields, &mut options, &mut faults));
        assert_eq!(faults.into_inner(), [], "{body}");
        request.unwrap_or_default().uses()
    }

    fn names_of(uses: &Uses, subject: &str) -> Vec<Option<String>> {
        let used = uses.0.iter().filter(|used| used.subject == subject);
        used.map(|used| used.name.clone()).collect()
    }

    #[test]
    fn what_runs_is_named_by_where_it_comes_from() {
        let repo = "https://git.example.com/acme/site.git";
        for (body, what) in [
            (
                json!({"playbook": "web/a.yml"}),
                ("playbook", Some("web/a.yml".to_owned())),
            ),
            (
                json!({"source": {"type": "playbook", "path": "a.yml"}}),
                ("playbook", Some("a.yml".to_owned())),
            ),
            (
                json!({"source": {"type": "playbook", "repo": repo, "path": "a.yml"}}),
                ("playbook", Some(format!("{repo}//a.yml"))),
            ),
            (
                json!({"source": {"type": "playbook", "repo": repo, "path": "a.yml", "branch": "mine"}}),
                ("playbook", Some(format!("{repo}//a.yml#mine"))),
            ),
            (
                json!({"source": {"type": "collection_role", "collection": "acme.web", "role": "nginx"}}),
                ("role", Some("acme.web.nginx".to_owned())),
            ),
            (
                json!({"source": {"type": "inline", "content": "- hosts: all"}}),
                ("playbook", None),
            ),
        ] {
            let found = uses(&body).0.swap_remove(0);
            let version = found.version.map(|version| format!("#{version}"));
            let name = found.name.map(|name| name + &version.unwrap_or_default());
            assert_eq!((found.subject, name), what, "{body}");
        }
    }

    #[test]
    fn an_inventory_has_the_names_of_its_hosts_unless_the_request_can_reach_others() {
        let some = |names: &[&str]| names.iter().map(|name| Some((*name).to_owned())).collect::<Vec<_>>();
        for (more, inventories) in [
            (json!({}), some(&["localhost"])),
            (json!({"inventory": "a, b,"}), some(&["a", "b"])),
            (
                json!({"inventory": {"type": "inline", "hosts": ["a"]}}),
                vec![None, None],
            ),
            (
                json!({"inventory": "a,", "extra_vars": {"ansible_host": "b"}}),
                vec![Some("a".to_owned()), None],
            ),
            (
                json!({"inventory": "a,", "options": {"connection": "local"}}),
                vec![Some("a".to_owned()), None],
            ),
            (
                json!({"inventory": {"type": "git", "repo": "https://g.example.com/a/b", "path": "hosts.yml"}}),
                some(&["https://g.example.com/a/b//hosts.yml"]),
            ),
        ] {
            let mut body = json!({"playbook": "a.yml"});
            for (name, value) in more.as_object().into_iter().flatten() {
                body[name] = value.clone();
            }
            assert_eq!(names_of(&uses(&body), INVENTORY), inventories, "{body}");
        }
    }

    #[test]
    fn a_playbook_to_which_the_request_adds_code_is_not_the_one_that_its_name_says() {
        for (more, adds) in [
            (json!({"extra_vars": {"a": 1}}), false),
            (json!({"extra_vars": {"ansible_python_interpreter": "/tmp/x"}}), true),
            (json!({"extra_vars": {"inventory_hostname": "b"}}), true),
            (json!({"options": {"become": true}}), true),
            (json!({"options": {"remote_user": "root"}}), true),
            (
                json!({"inventory": {"type": "url", "url": "https://cmdb.example.com/a"}}),
                true,
            ),
            (json!({"options": {"template_extra_vars": true}}), true),
            (json!({"inventory": {"type": "inline", "hosts": ["a"]}}), true),
            (json!({"inventory": "a,b,"}), false),
        ] {
            let mut body = json!({"playbook": "a.yml"});
            for (name, value) in more.as_object().into_iter().flatten() {
                body[name] = value.clone();
            }
            assert_eq!(names_of(&uses(&body), PLAYBOOK).contains(&None), adds, "{body}");
        }
    }

    #[test]
    fn secrets_that_are_kept_elsewhere_count_as_credentials() {
        let body = json!({"playbook": "a.yml", "credentials": {
            "ssh": "prod-ssh",
            "become_password": {"type": "hashicorp_vault", "vault_path": "secret/a"},
            "cloud": {"type": "aws", "role_arn": "arn:aws:iam::123456789012:role/deploy"},
        }, "inventory": {
            "type": "git", "repo": "https://g.example.com/a/b", "path": "hosts.yml",
            "git_credential": {"type": "aws_secretsmanager", "secret_id": "of/inventory"},
        }});
        let credentials = names_of(&uses(&body), Uses::CREDENTIAL);
        for name in [
            "prod-ssh",
            "hashicorp_vault:secret/a",
            "aws_secretsmanager:of/inventory",
            "arn:aws:iam::123456789012:role/deploy",
        ] {
            assert!(
                credentials.iter().any(|found| found.as_deref() == Some(name)),
                "{name}: {credentials:?}"
            );
        }
    }
}
