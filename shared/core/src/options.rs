//! Execution options: what `ansible-playbook` takes as flags, and the limits of a job.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::credential::CredentialKind;
use crate::fields::{Faults, Fields};
use crate::reference::{CredentialUse, check_name};

/// The longest `timeout` and `idle_timeout`, in seconds: one week.
pub const MAX_TIMEOUT_SECONDS: u64 = 7 * 24 * 3600;
const MAX_FORKS: u64 = 1000;
const MAX_ATTEMPTS: u64 = 10;
const MAX_PATTERN_BYTES: usize = 4096;
const MAX_NAME_BYTES: usize = 255;
const MAX_VALUE_BYTES: usize = 32 * 1024;
const MAX_URL_BYTES: usize = 2048;
const MAX_VAULT_IDS: usize = 20;
const MAX_ENVIRONMENT: usize = 100;
const MAX_LABELS: usize = 50;
const MAX_LABEL_BYTES: usize = 63;

/// How a playbook is run. Every field has the meaning of the `ansible-playbook` flag of its name.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Predicts changes and makes none (`--check`).
    #[serde(skip_serializing_if = "is_false")]
    pub check: bool,
    /// Shows the differences in changed files and templates (`--diff`).
    #[serde(skip_serializing_if = "is_false")]
    pub diff: bool,
    /// Runs only plays and tasks with one of these tags (`--tags`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Leaves out plays and tasks with one of these tags (`--skip-tags`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skip_tags: Vec<String>,
    /// Restricts the hosts to a pattern (`--limit`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    pub limit: Option<String>,
    /// How much Ansible tells, from 0 to 4 (`-v` to `-vvvv`).
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(minimum = 0, maximum = 4)]
    pub verbosity: u8,
    /// How many hosts are worked on at once (`--forks`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000)]
    pub forks: Option<u32>,
    /// Ends the job when it has run this many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 604_800)]
    pub timeout: Option<u64>,
    /// Ends the job when it has printed nothing for this many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 604_800)]
    pub idle_timeout: Option<u64>,
    /// How often the job may be started when its worker is lost; by default once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10)]
    pub max_attempts: Option<u32>,
    /// Starts at the task of this name (`--start-at-task`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    pub start_at_task: Option<String>,
    /// Runs operations as another user (`--become`).
    #[serde(skip_serializing_if = "is_false")]
    pub r#become: bool,
    /// As which user, if not root (`--become-user`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255)]
    pub become_user: Option<String>,
    /// By which means, if not sudo (`--become-method`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255)]
    pub become_method: Option<String>,
    /// Connects as this user (`--user`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255)]
    pub remote_user: Option<String>,
    /// The connection plugin (`--connection`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255)]
    pub connection: Option<String>,
    /// The strategy of plays that name none (`ANSIBLE_STRATEGY`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255)]
    pub strategy: Option<String>,
    /// Clears the fact cache of every host (`--flush-cache`).
    #[serde(skip_serializing_if = "is_false")]
    pub flush_cache: bool,
    /// Vault identities (`--vault-id`): `label@credential`, or the name of a credential of kind `vault` alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20, example = json!(["prod@prod-vault"]))]
    pub vault_ids: Vec<String>,
    /// Variables for the environment of `ansible-playbook`; their names must be in the policy.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Words of the caller's own; they are kept with the job.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Where the end of the job is to be told. Kept with the job; nothing is sent there yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2048)]
    pub callback_url: Option<String>,
    /// Lets Ansible evaluate templates in `extra_vars` and `role_vars`; by default they are data.
    #[serde(skip_serializing_if = "is_false")]
    pub template_extra_vars: bool,
}

impl Options {
    /// Reads options from a request; every fault is added with its pointer.
    pub fn parse(value: &Value, pointer: &str, faults: &mut Faults) -> Self {
        let Some(mut fields) = Fields::of(value, pointer, faults) else {
            return Self::default();
        };
        let options = Self {
            check: either(&mut fields, "check", "check_mode", faults),
            diff: either(&mut fields, "diff", "diff_mode", faults),
            tags: fields.lines("tags", MAX_PATTERN_BYTES, faults),
            skip_tags: fields.lines("skip_tags", MAX_PATTERN_BYTES, faults),
            limit: fields.line("limit", MAX_PATTERN_BYTES, faults).map(str::to_owned),
            verbosity: narrow(fields.integer("verbosity", 0, 4, faults)).unwrap_or(0),
            forks: narrow(fields.integer("forks", 1, MAX_FORKS, faults)),
            timeout: fields.integer("timeout", 1, MAX_TIMEOUT_SECONDS, faults),
            idle_timeout: fields.integer("idle_timeout", 1, MAX_TIMEOUT_SECONDS, faults),
            max_attempts: narrow(fields.integer("max_attempts", 1, MAX_ATTEMPTS, faults)),
            start_at_task: fields
                .line("start_at_task", MAX_PATTERN_BYTES, faults)
                .map(str::to_owned),
            r#become: fields.boolean("become", faults),
            become_user: word(&mut fields, "become_user", faults),
            become_method: word(&mut fields, "become_method", faults),
            remote_user: word(&mut fields, "remote_user", faults),
            connection: word(&mut fields, "connection", faults),
            strategy: word(&mut fields, "strategy", faults),
            flush_cache: fields.boolean("flush_cache", faults),
            vault_ids: parse_vault_ids(&mut fields, faults),
            environment: parse_environment(&mut fields, faults),
            labels: parse_labels(&mut fields, faults),
            callback_url: parse_callback_url(&mut fields, faults),
            template_extra_vars: fields.boolean("template_extra_vars", faults),
        };
        if fields.get("vault_password_file").is_some() {
            let instead = "names a file of the worker, which is no place for a caller; use credentials.vault_password";
            faults.add(fields.pointer("vault_password_file"), instead);
        }
        options.refuse_files(&fields, faults);
        fields.finish(faults);
        options
    }

    /// Returns the vault identities: the label, empty where none is given, and the credential's name.
    pub fn vault_identities(&self) -> impl Iterator<Item = (&str, &str)> {
        self.vault_ids.iter().map(|id| id.split_once('@').unwrap_or(("", id)))
    }

    /// Adds the stored credentials that they name.
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

    /// Returns the time limit of the job, if it has one.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout.map(Duration::from_secs)
    }

    /// Returns how long the job may be silent, if that is limited.
    #[must_use]
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout.map(Duration::from_secs)
    }

    /// Returns how often the job may be started.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.max_attempts.unwrap_or(1)
    }

    /// Ansible reads a limit of the form `@file` from the worker's disk, which is no place for a caller.
    fn refuse_files(&self, fields: &Fields<'_>, faults: &mut Faults) {
        let names_file = |pattern: &str| pattern.split([',', ':', ';']).any(|part| part.trim().starts_with('@'));
        if self.limit.as_deref().is_some_and(names_file) {
            faults.add(fields.pointer("limit"), "must not name a file (`@...`); list the hosts");
        }
    }
}

/// Reads a boolean that has two names; they may not contradict each other.
fn either(fields: &mut Fields<'_>, name: &'static str, other: &'static str, faults: &mut Faults) -> bool {
    let (first, second) = (fields.boolean(name, faults), fields.boolean(other, faults));
    if first != second && fields.get(name).is_some() && fields.get(other).is_some() {
        faults.add(
            fields.pointer(other),
            format!("contradicts {name}, which means the same"),
        );
    }
    first || second
}

/// Reads a name that becomes the value of a flag.
fn word(fields: &mut Fields<'_>, name: &'static str, faults: &mut Faults) -> Option<String> {
    let word = fields.line(name, MAX_NAME_BYTES, faults)?;
    let good = |char: char| char.is_alphanumeric() || "._-@\\$".contains(char);
    if word.starts_with('-') || !word.chars().all(good) {
        faults.add(
            fields.pointer(name),
            "must be one word of letters, digits, `.`, `_`, `-`, `@`, `$` or `\\`",
        );
    }
    Some(word.to_owned())
}

fn parse_vault_ids(fields: &mut Fields<'_>, faults: &mut Faults) -> Vec<String> {
    let ids = fields.lines("vault_ids", MAX_NAME_BYTES, faults);
    let pointer = fields.pointer("vault_ids");
    if ids.len() > MAX_VAULT_IDS {
        faults.add(pointer.as_str(), format!("must have at most {MAX_VAULT_IDS} entries"));
    }
    for (index, id) in ids.iter().enumerate() {
        let (label, name) = id.split_once('@').unwrap_or(("x", id));
        let pointer = format!("{pointer}/{index}");
        if !label
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || "._-".contains(char))
            || label.is_empty()
        {
            faults.add(
                pointer.as_str(),
                "must be label@credential, with a label of letters, digits, `.`, `_` or `-`",
            );
        }
        check_name(name, &pointer, faults);
    }
    ids
}

fn parse_environment(fields: &mut Fields<'_>, faults: &mut Faults) -> BTreeMap<String, String> {
    let pointer = fields.pointer("environment");
    let variables = fields.line_map("environment", MAX_VALUE_BYTES, faults);
    if variables.len() > MAX_ENVIRONMENT {
        faults.add(
            pointer.as_str(),
            format!("must have at most {MAX_ENVIRONMENT} variables"),
        );
    }
    for name in variables.keys() {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty()
            || name.len() > MAX_NAME_BYTES
            || !name.bytes().all(good)
            || name.as_bytes()[0].is_ascii_digit()
        {
            let pointer = format!("{pointer}/{}", crate::json::escape(name));
            faults.add(pointer, "must be the name of a variable: letters, digits and `_`");
        }
    }
    variables
}

fn parse_labels(fields: &mut Fields<'_>, faults: &mut Faults) -> BTreeMap<String, String> {
    let pointer = fields.pointer("labels");
    let labels = fields.line_map("labels", MAX_NAME_BYTES, faults);
    if labels.len() > MAX_LABELS {
        faults.add(pointer.as_str(), format!("must have at most {MAX_LABELS} labels"));
    }
    for name in labels.keys() {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        if name.is_empty() || name.len() > MAX_LABEL_BYTES || !name.bytes().all(good) {
            let pointer = format!("{pointer}/{}", crate::json::escape(name));
            faults.add(
                pointer,
                format!("must be named by 1 to {MAX_LABEL_BYTES} letters, digits, `.`, `_`, `-` or `/`"),
            );
        }
    }
    labels
}

fn parse_callback_url(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<String> {
    let url = fields.line("callback_url", MAX_URL_BYTES, faults)?;
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    if host.is_none_or(str::is_empty) || url.contains(char::is_whitespace) {
        faults.add(
            fields.pointer("callback_url"),
            "must be an address that begins with https:// or http://",
        );
    } else if host.is_some_and(|host| host.contains('@')) {
        faults.add(fields.pointer("callback_url"), "must not hold a user or a password");
    }
    Some(url.to_owned())
}

fn narrow<T: TryFrom<u64>>(number: Option<u64>) -> Option<T> {
    number.and_then(|number| T::try_from(number).ok())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(value: &u8) -> bool {
    *value == 0
}
