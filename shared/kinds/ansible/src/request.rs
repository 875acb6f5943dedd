//! A caller's request to Ansible, read from JSON with every fault reported.

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::object::Object;
use callboard_core::credential::CredentialUse;
use callboard_core::request::{JobOptions, JobRequest, Variables};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::access::Access;
use crate::inventory::Inventory;
use crate::options::AnsibleOptions;
use crate::source::Source;
use crate::variables::parse_extra_vars;

/// A request to run a playbook or a role.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[schema(as = JobRequest, example = json!({"playbook": "hello.yml", "extra_vars": {"greeting": "Callboard"}}))]
pub struct AnsibleRequest {
    /// What to run.
    #[serde(flatten)]
    pub source: Source,
    /// Variables for the playbook, with the highest precedence. Their values are data: `{{ ... }}` in them stays literal.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Variables)]
    pub extra_vars: Map<String, Value>,
    /// The hosts to run on. Default: `"localhost,"`.
    #[serde(default)]
    pub inventory: Inventory,
    /// The credentials that Ansible uses to access the hosts.
    #[serde(default, skip_serializing_if = "Access::is_empty")]
    pub credentials: Access,
    /// The options of the run.
    #[serde(default, skip_serializing_if = "AnsibleOptions::is_empty")]
    pub options: AnsibleOptions,
}

impl AnsibleRequest {
    /// Reads the fields of a request; adds each fault with its pointer.
    pub fn read(fields: &mut Fields<'_>, options: &mut Fields<'_>, faults: &mut Faults) -> Option<Self> {
        let source = Source::parse(fields, faults);
        let extra_vars = parse_extra_vars(fields, faults);
        let inventory = fields
            .get("inventory")
            .map(|value| Inventory::parse(value, "/inventory", faults))
            .unwrap_or_default();
        let credentials = fields
            .get("credentials")
            .map(|value| Access::parse(value, "/credentials", faults))
            .unwrap_or_default();
        let options = AnsibleOptions::read(options, faults);
        Some(Self {
            source: source?,
            extra_vars,
            inventory,
            credentials,
            options,
        })
    }

    /// Reads a recorded request.
    ///
    /// # Errors
    /// A newer release wrote it, and this release does not know everything in it.
    pub fn of(request: &JobRequest) -> Result<Self, serde_json::Error> {
        request.work.read()
    }

    /// Reads the work of a recorded request, which may be large and is moved.
    ///
    /// # Errors
    /// As for [`AnsibleRequest::of`].
    pub fn of_work(work: Object) -> Result<Self, serde_json::Error> {
        serde_json::from_value(Value::Object(work.0))
    }

    /// Returns the request in the form that is recorded.
    #[must_use]
    pub fn with_options(&self, options: JobOptions) -> JobRequest {
        JobRequest {
            title: self.source.name(),
            options,
            work: Object::of(self),
            ..JobRequest::default()
        }
    }

    /// Returns the fields that are recorded. Variables may be large, so they are moved.
    pub(crate) fn into_work(mut self) -> Object {
        let extra_vars = std::mem::take(&mut self.extra_vars);
        let mut work = Object::of(&self);
        if !extra_vars.is_empty() {
            work.0.insert("extra_vars".to_owned(), Value::Object(extra_vars));
        }
        work
    }

    /// Returns every place that names a stored credential.
    #[must_use]
    pub fn credential_uses(&self) -> Vec<CredentialUse> {
        let mut uses = Vec::new();
        self.source.uses(&mut uses);
        self.inventory.uses("/inventory", &mut uses);
        self.credentials.uses(&mut uses);
        self.options.uses(&mut uses);
        uses
    }
}

#[cfg(test)]
mod tests {
    use callboard_core::base::fields::FieldError;
    use serde_json::json;

    use super::*;

    fn parse(body: &Value) -> Result<AnsibleRequest, Vec<FieldError>> {
        let mut faults = Faults::default();
        let Some(mut fields) = Fields::of(body, "", &mut faults) else {
            return Err(faults.into_inner());
        };
        let none = json!({});
        let given = fields.get("options").unwrap_or(&none);
        let request = Fields::of(given, "/options", &mut faults).and_then(|mut options| {
            let request = AnsibleRequest::read(&mut fields, &mut options, &mut faults);
            JobOptions::read(&mut options, &mut faults);
            options.finish(&mut faults);
            request
        });
        fields.finish(&mut faults);
        faults.or(request.unwrap_or_default())
    }

    fn pointers(body: &Value) -> Vec<String> {
        parse(body)
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(|fault| fault.pointer)
            .collect()
    }

    #[test]
    fn every_fault_of_a_request_is_named_at_once() {
        let body = json!({
            "playbook": "../site.yml", "playbok": 1, "extra_vars": {"a": [{"__ansible_unsafe": "x"}]},
            "inventory": {"type": "inline", "data": {"web": {"host": {}}}},
            "options": {"verbosity": 5, "tags": ["a", 1], "forks": -1, "nonsense": true, "limit": "@/etc/passwd"},
        });
        assert_eq!(
            pointers(&body),
            [
                "/playbook",
                "/extra_vars/a/0/__ansible_unsafe",
                "/inventory/data/web/host",
                "/options/tags/1",
                "/options/verbosity",
                "/options/forks",
                "/options/limit",
                "/options/nonsense",
                "/playbok",
            ]
        );
    }

    #[test]
    fn what_is_no_playbook_or_no_inventory_is_refused() {
        for (body, pointer) in [
            (json!([]), ""),
            (json!({}), "/playbook"),
            (json!({"playbook": null}), "/playbook"),
            (json!({"playbook": ""}), "/playbook"),
            (json!({"playbook": "/etc/passwd"}), "/playbook"),
            (json!({"playbook": "a/../../b.yml"}), "/playbook"),
            (json!({"playbook": "a\u{0}.yml"}), "/playbook"),
            (json!({"playbook": "a.yml", "inventory": "localhost"}), "/inventory"),
            (json!({"playbook": "a.yml", "inventory": " , "}), "/inventory"),
            (json!({"playbook": "a.yml", "inventory": "a,\nb"}), "/inventory"),
            (
                json!({"playbook": "a.yml", "inventory": {"type": "inline", "data": {"g": {"hosts": {"a\u{0}": null}}}}}),
                "/inventory/data/g/hosts/a\u{0}",
            ),
            (
                json!({"playbook": "a.yml", "inventory": {"type": "inline", "data": {"g": {"hosts": {"a": "b"}}}}}),
                "/inventory/data/g/hosts/a",
            ),
            (
                json!({"playbook": "a.yml", "inventory": {"type": "path", "path": "/etc"}}),
                "/inventory/type",
            ),
            (
                json!({"playbook": "a.yml", "inventory": {"type": "inline", "data": {}}}),
                "/inventory/data",
            ),
            (
                json!({"playbook": "a.yml", "inventory": {"type": "inline"}}),
                "/inventory/data",
            ),
        ] {
            assert_eq!(pointers(&body), [pointer], "{body}");
        }
    }

    #[test]
    fn the_requests_that_the_product_was_designed_for_are_read_and_read_back() -> Result<(), Box<dyn std::error::Error>>
    {
        let vault = json!({
            "type": "hashicorp_vault", "vault_path": "secret/ansible/prod-ssh", "vault_key": "private_key",
            "vault_credential": "hcp-vault-token",
        });
        let sources = [
            json!({
                "type": "playbook", "repo": "git@github.com:org/ansible-playbooks.git", "branch": "main",
                "path": "deploy/webserver.yml", "git_credential": "github-deploy-key",
            }),
            json!({
                "type": "role", "repo": "git@github.com:org/ansible-roles.git", "branch": "v2.0.0", "path": "roles/nginx",
                "role_vars": {"nginx_port": 8080},
            }),
            json!({
                "type": "collection_role", "collection": "community.general", "role": "docker_swarm", "version": ">=6.0.0",
                "galaxy_server": "https://galaxy.ansible.com", "role_vars": {"swarm_manager": true},
            }),
            json!({
                "type": "collection_role", "collection": "mycompany.internal", "role": "app_deploy", "version": "1.2.0",
                "galaxy_server": "https://hub.internal.com/api/galaxy/", "galaxy_credential": "automation-hub-token",
            }),
        ];
        let inventories = [
            json!({
                "type": "inline", "hosts": ["10.0.1.10", "10.0.1.11"],
                "groups": {"webservers": ["10.0.1.10"], "databases": ["10.0.1.11"]},
                "host_vars": {"10.0.1.10": {"http_port": 8080}},
            }),
            json!({
                "type": "inline",
                "data": {"webservers": {"hosts": {"10.0.1.10": {"http_port": "8080"}, "10.0.1.11": null}}},
            }),
            json!({
                "type": "dynamic", "plugin": "amazon.aws.aws_ec2", "cloud_credential": "aws-prod",
                "config": {
                    "regions": ["us-west-2"], "filters": {"tag:Environment": "production"},
                    "keyed_groups": [{"key": "tags.Role", "prefix": "role"}],
                },
            }),
            json!({
                "type": "git", "repo": "https://dev.azure.com/org/project/_git/inventory", "branch": "main",
                "path": "production/hosts.yml",
            }),
            json!({
                "type": "url", "url": "https://cmdb.internal.com/api/ansible/inventory", "format": "yaml",
                "headers": {"Authorization": "Bearer ${CMDB_TOKEN}"}, "credential": "cmdb-api-token",
            }),
        ];
        let credentials = [
            json!({"ssh": "prod-ssh-key", "become_password": "prod-become", "vault_password": "prod-vault"}),
            json!({"ssh": vault, "become_password": {"type": "hashicorp_vault", "vault_path": "secret/sudo/prod"}}),
            json!({"ssh": "prod-ssh-key", "cloud": {"type": "aws", "credential": "aws-prod"}}),
        ];
        let options = json!({
            "timeout": 3600, "callback_url": "https://ci.example.com/webhook", "tags": ["deploy", "config"],
            "skip_tags": ["debug"], "limit": "webservers", "verbosity": 2, "check_mode": false, "diff_mode": true, "forks": 10,
        });
        for (index, source) in sources.iter().enumerate() {
            for inventory in &inventories {
                let credentials = &credentials[index % credentials.len()];
                let body = json!({
                    "source": source, "inventory": inventory, "credentials": credentials, "extra_vars": {"a": 1},
                    "options": options,
                });
                let request = parse(&body).map_err(|faults| format!("{body}: {faults:?}"))?;
                assert!(request.options.diff && !request.options.check);
                let kept = serde_json::to_value(&request)?;
                let parts = (&kept["source"], &kept["inventory"], &kept["credentials"]);
                assert_eq!(parts, (source, inventory, credentials));
                // a relaunch sends what is recorded again
                let again = parse(&kept).map_err(|faults| format!("{kept}: {faults:?}"))?;
                assert_eq!(again, request);
                assert_eq!(serde_json::from_value::<AnsibleRequest>(kept)?, request);
            }
        }
        Ok(())
    }

    #[test]
    fn a_request_reads_back_what_it_wrote() -> Result<(), Box<dyn std::error::Error>> {
        let body = json!({
            "playbook": "site.yml", "extra_vars": {"a": {"b": [1, null]}},
            "inventory": {"type": "inline", "data": {"web": {"hosts": {"web1": {"port": 80}, "web2": null}}}},
            "options": {"check": true, "tags": ["deploy"], "verbosity": 2, "timeout": 60},
        });
        let request = parse(&body).map_err(|faults| format!("{faults:?}"))?;
        let text = serde_json::to_string(&request)?;
        assert_eq!(serde_json::from_str::<AnsibleRequest>(&text)?, request);
        Ok(())
    }
}
