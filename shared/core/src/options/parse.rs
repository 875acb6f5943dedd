//! Reading options.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{MAX_TIMEOUT_SECONDS, Options};
use crate::fields::{Faults, Fields};
use crate::reference::check_name;

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
