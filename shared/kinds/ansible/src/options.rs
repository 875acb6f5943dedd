//! How Ansible runs a playbook: the options that only Ansible jobs have.

mod parse;

use std::collections::BTreeMap;

use callboard_core::credential::{CredentialKind, CredentialUse};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use self::parse::MAX_LIMIT_BYTES;
use crate::retry::Retry;

/// How a playbook runs. Each field means the same as the `ansible-playbook` flag of that name.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[schema(as = Options)]
#[serde(default, deny_unknown_fields)]
pub struct AnsibleOptions {
    /// If true, predicts changes without making them (`--check`).
    #[serde(skip_serializing_if = "is_false")]
    pub check: bool,
    /// If true, shows the differences in changed files and templates (`--diff`).
    #[serde(skip_serializing_if = "is_false")]
    pub diff: bool,
    /// Runs only plays and tasks with one of these tags (`--tags`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Skips plays and tasks with one of these tags (`--skip-tags`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skip_tags: Vec<String>,
    /// Limits the hosts to those that match a pattern (`--limit`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 262_144)]
    pub limit: Option<String>,
    /// How much Ansible prints, from 0 to 4 (`-v` to `-vvvv`).
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(minimum = 0, maximum = 4)]
    pub verbosity: u8,
    /// The maximum number of hosts that Ansible works on at the same time (`--forks`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000)]
    pub forks: Option<u32>,
    /// Starts at the task with this name (`--start-at-task`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 4096)]
    pub start_at_task: Option<String>,
    /// If true, runs operations as another user (`--become`).
    #[serde(skip_serializing_if = "is_false")]
    pub r#become: bool,
    /// The user to become (`--become-user`). Default: root.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    pub become_user: Option<String>,
    /// The method to become that user (`--become-method`). Default: sudo.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    pub become_method: Option<String>,
    /// Connects as this user (`--user`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    pub remote_user: Option<String>,
    /// The connection plugin (`--connection`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    pub connection: Option<String>,
    /// The strategy of plays that do not set one (`ANSIBLE_STRATEGY`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    pub strategy: Option<String>,
    /// If true, clears the fact cache of every host (`--flush-cache`).
    #[serde(skip_serializing_if = "is_false")]
    pub flush_cache: bool,
    /// Vault identities (`--vault-id`): each is `label@credential`, or only the name of a credential of kind `vault`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20, example = json!(["prod@prod-vault"]))]
    pub vault_ids: Vec<String>,
    /// Environment variables for `ansible-playbook`. Their names must be in the policy.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// If true, Ansible evaluates templates in `extra_vars` and `role_vars`. By default, they are data.
    #[serde(skip_serializing_if = "is_false")]
    pub template_extra_vars: bool,
    /// Tries the job again after it has failed, as further attempts of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

impl AnsibleOptions {
    /// Returns whether no option is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the vault identities: the label (empty if none is given) and the credential's name.
    pub fn vault_identities(&self) -> impl Iterator<Item = (&str, &str)> {
        self.vault_ids.iter().map(|id| id.split_once('@').unwrap_or(("", id)))
    }

    /// Adds the stored credentials that the options name.
    pub(crate) fn uses(&self, uses: &mut Vec<CredentialUse>) {
        uses.extend(
            self.vault_identities()
                .enumerate()
                .map(|(index, (_, name))| CredentialUse {
                    pointer: format!("/options/vault_ids/{index}"),
                    name: name.to_owned(),
                    kinds: &[CredentialKind::Vault],
                }),
        );
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(value: &u8) -> bool {
    *value == 0
}
