//! Reads options.

use std::collections::BTreeMap;

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::credential::check_name;

use super::AnsibleOptions;
use crate::retry::Retry;

const MAX_FORKS: u64 = 1000;
const MAX_PATTERN_BYTES: usize = 4096;
/// Room for the names of thousands of hosts.
pub(crate) const MAX_LIMIT_BYTES: usize = 256 * 1024;
const MAX_NAME_BYTES: usize = 255;
const MAX_VALUE_BYTES: usize = 32 * 1024;
const MAX_VAULT_IDS: usize = 20;
const MAX_ENVIRONMENT: usize = 100;

impl AnsibleOptions {
    /// Reads options from a request; adds each fault with its pointer.
    pub fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let options = Self {
            check: either(fields, "check", "check_mode", faults),
            diff: either(fields, "diff", "diff_mode", faults),
            tags: fields.lines("tags", MAX_PATTERN_BYTES, faults),
            skip_tags: fields.lines("skip_tags", MAX_PATTERN_BYTES, faults),
            limit: fields.line("limit", MAX_LIMIT_BYTES, faults).map(str::to_owned),
            verbosity: narrow(fields.integer("verbosity", 0, 4, faults)).unwrap_or(0),
            forks: narrow(fields.integer("forks", 1, MAX_FORKS, faults)),
            start_at_task: fields
                .line("start_at_task", MAX_PATTERN_BYTES, faults)
                .map(str::to_owned),
            r#become: fields.boolean("become", faults),
            become_user: word(fields, "become_user", faults),
            become_method: word(fields, "become_method", faults),
            remote_user: word(fields, "remote_user", faults),
            connection: word(fields, "connection", faults),
            strategy: word(fields, "strategy", faults),
            flush_cache: fields.boolean("flush_cache", faults),
            vault_ids: parse_vault_ids(fields, faults),
            environment: parse_environment(fields, faults),
            template_extra_vars: fields.boolean("template_extra_vars", faults),
            retry: Retry::read(fields, faults),
        };
        if fields.get("vault_password_file").is_some() {
            let instead = "names a file on the worker, which a request must not do; use credentials.vault_password";
            faults.add(fields.pointer("vault_password_file"), instead);
        }
        options.refuse_files(fields, faults);
        options
    }

    /// Refuses a limit of the form `@file`: Ansible reads the file from the worker's disk, which is not for callers to name.
    fn refuse_files(&self, fields: &Fields<'_>, faults: &mut Faults) {
        let names_file = |pattern: &str| pattern.split([',', ':', ';']).any(|part| part.trim().starts_with('@'));
        if self.limit.as_deref().is_some_and(names_file) {
            faults.add(fields.pointer("limit"), "must not name a file (`@...`); list the hosts");
        }
    }
}

/// Reads a boolean that has two names, which must not contradict each other.
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
            let pointer = format!("{pointer}/{}", callboard_core::base::json::escape(name));
            faults.add(pointer, "must be the name of a variable: letters, digits and `_`");
        }
    }
    variables
}

fn narrow<T: TryFrom<u64>>(number: Option<u64>) -> Option<T> {
    number.and_then(|number| T::try_from(number).ok())
}
