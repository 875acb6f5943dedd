//! What a request uses, as far as callers can be bound to it.

use callboard_core::access::{Uses, What};
use callboard_core::base::object::Object;
use serde_json::Value;

use crate::inventory::{Inventory, TypedInventory};
use crate::request::AnsibleRequest;
use crate::source::{Source, TypedSource};

/// Variables with this beginning say how Ansible reaches a host, or which host it is.
const OF_CONNECTIONS: &str = "ansible_";

impl AnsibleRequest {
    /// Returns what the request uses.
    #[must_use]
    pub(crate) fn uses(&self) -> Uses {
        let mut inventories: Vec<Option<String>> = self.inventory.parts().iter().flat_map(names).collect();
        if self.reaches_hosts_its_own_way() {
            inventories.push(None);
        }
        let mut credentials: Vec<String> = self.credential_uses().into_iter().map(|named| named.name).collect();
        add_external(&Value::Object(Object::of(self).0), &mut credentials);
        Uses {
            what: what(&self.source),
            sources: self.source.git().map(|git| git.repo.to_owned()).into_iter().collect(),
            inventories,
            credentials,
        }
    }

    /// Returns whether the request itself says how hosts are reached, whatever its inventory is called.
    fn reaches_hosts_its_own_way(&self) -> bool {
        let role_vars = match &self.source {
            Source::Typed(TypedSource::Role(role)) => Some(&role.role_vars),
            Source::Typed(TypedSource::CollectionRole(role)) => Some(&role.role_vars),
            _ => None,
        };
        let mut names = self
            .extra_vars
            .keys()
            .chain(role_vars.into_iter().flat_map(|vars| vars.keys()));
        self.options.connection.is_some() || names.any(|name| name.starts_with(OF_CONNECTIONS))
    }
}

fn what(source: &Source) -> What {
    let branch = source.git().and_then(|git| git.branch);
    let of = |repo: &Option<String>, path: &str| match repo {
        None => path.to_owned(),
        Some(repo) => in_repository(repo, path, branch),
    };
    match source {
        Source::Playbook(path) => What::Playbook(path.clone()),
        Source::Typed(TypedSource::Playbook(playbook)) => What::Playbook(of(&playbook.repo, &playbook.path)),
        Source::Typed(TypedSource::Role(role)) => {
            let parts = [role.path.as_deref(), role.role.as_deref()];
            let path: Vec<&str> = parts.into_iter().flatten().collect();
            What::Role(of(&role.repo, &path.join("/")))
        }
        Source::Typed(TypedSource::CollectionRole(role)) => What::Role(format!("{}.{}", role.collection, role.role)),
        Source::Typed(TypedSource::Inline(_)) => What::Unnamed,
    }
}

fn in_repository(repo: &str, path: &str, branch: Option<&str>) -> String {
    let branch = branch.map(|branch| format!("@{branch}"));
    format!("{repo}//{path}{}", branch.unwrap_or_default())
}

fn names(inventory: &Inventory) -> Vec<Option<String>> {
    match inventory {
        Inventory::Text(hosts) => hosts
            .split(',')
            .map(str::trim)
            .filter(|host| !host.is_empty())
            .map(|host| Some(host.to_owned()))
            .collect(),
        Inventory::Typed(TypedInventory::Inline(_)) => vec![None],
        Inventory::Typed(TypedInventory::Git(git)) => {
            vec![Some(in_repository(&git.repo, &git.path, git.branch.as_deref()))]
        }
        Inventory::Typed(TypedInventory::Url(url)) => vec![Some(url.url.clone())],
        // its settings say which hosts it finds
        Inventory::Typed(TypedInventory::Dynamic(_)) => vec![None],
        Inventory::Several(several) => several.iter().flat_map(names).collect(),
    }
}

/// Adds the secrets that are kept elsewhere, as `TYPE:PLACE`, and the roles of AWS that are assumed.
fn add_external(value: &Value, credentials: &mut Vec<String>) {
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
                credentials.push(format!("{keeper}:{place}"));
            }
            credentials.extend(text("role_arn").map(str::to_owned));
            fields.values().for_each(|value| add_external(value, credentials));
        }
        Value::Array(items) => items.iter().for_each(|item| add_external(item, credentials)),
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

    #[test]
    fn what_runs_is_named_by_where_it_comes_from() {
        let repo = "https://git.example.com/acme/site.git";
        for (body, what) in [
            (json!({"playbook": "web/a.yml"}), What::Playbook("web/a.yml".into())),
            (
                json!({"source": {"type": "playbook", "path": "a.yml"}}),
                What::Playbook("a.yml".into()),
            ),
            (
                json!({"source": {"type": "playbook", "repo": repo, "path": "a.yml"}}),
                What::Playbook(format!("{repo}//a.yml")),
            ),
            (
                json!({"source": {"type": "playbook", "repo": repo, "path": "a.yml", "branch": "mine"}}),
                What::Playbook(format!("{repo}//a.yml@mine")),
            ),
            (
                json!({"source": {"type": "collection_role", "collection": "acme.web", "role": "nginx"}}),
                What::Role("acme.web.nginx".into()),
            ),
            (
                json!({"source": {"type": "inline", "content": "- hosts: all"}}),
                What::Unnamed,
            ),
        ] {
            assert_eq!(uses(&body).what, what, "{body}");
        }
    }

    #[test]
    fn an_inventory_has_the_names_of_its_hosts_unless_the_request_can_reach_others() {
        let some = |names: &[&str]| names.iter().map(|name| Some((*name).to_owned())).collect::<Vec<_>>();
        for (more, inventories) in [
            (json!({}), some(&["localhost"])),
            (json!({"inventory": "a, b,"}), some(&["a", "b"])),
            (json!({"inventory": {"type": "inline", "hosts": ["a"]}}), vec![None]),
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
            assert_eq!(uses(&body).inventories, inventories, "{body}");
        }
    }

    #[test]
    fn secrets_that_are_kept_elsewhere_count_as_credentials() {
        let body = json!({"playbook": "a.yml", "credentials": {
            "ssh": "prod-ssh",
            "become_password": {"type": "hashicorp_vault", "vault_path": "secret/a"},
        }});
        let credentials = uses(&body).credentials;
        for name in ["prod-ssh", "hashicorp_vault:secret/a"] {
            assert!(credentials.iter().any(|found| found == name), "{name}: {credentials:?}");
        }
    }
}
