//! The Git repositories that may be used.

use callboard_core::base::address::host_is_never_allowed;
use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::web_address::decoded;
use callboard_core::credential::known_hosts;
use callboard_core::policy::refusal;
use serde_json::Value;

use super::{MAX_LINE_BYTES, never};
use crate::repository::RepoUrl;

const MAX_KNOWN_HOSTS_BYTES: usize = 64 * 1024;

/// A rule that allows Git repositories: those of a host, or of some of its organisations.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GitRule {
    host: String,
    organisations: Vec<String>,
    /// The host's keys for ssh, as lines of `known_hosts`.
    pub known_hosts: Option<String>,
}

impl GitRule {
    /// Returns the host, with its port unless that is the scheme's default.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the paths below which repositories may be used; if there are none, all repositories of the host may be used.
    #[must_use]
    pub fn organisations(&self) -> &[String] {
        &self.organisations
    }

    pub(super) fn allows(&self, repo: &RepoUrl) -> bool {
        let (host, path) = place(repo);
        let below = |organisation: &String| {
            let rest = path.to_ascii_lowercase();
            rest.strip_prefix(&organisation.to_ascii_lowercase())
                .is_some_and(|rest| rest.starts_with('/'))
        };
        self.host == host && (self.organisations.is_empty() || self.organisations.iter().any(below))
    }
}

/// Returns a repository's host and path as rules name them: Azure DevOps has another host and a path prefix for ssh.
fn place(repo: &RepoUrl) -> (String, &str) {
    let path = repo.path();
    match repo.host().as_str() {
        "ssh.dev.azure.com" => ("dev.azure.com".to_owned(), path.strip_prefix("v3/").unwrap_or(path)),
        host => (host.to_owned(), path),
    }
}

/// Returns the message that a repository is not allowed, and how to allow it.
#[must_use]
pub fn git_refusal(repo: &RepoUrl) -> String {
    let (host, path) = place(repo);
    if host_is_never_allowed(repo.bare_host()) {
        return never(repo.as_str());
    }
    let organisation = path.split('/').next().unwrap_or_default();
    refusal(repo.as_str(), "git", &format!("{host}/{organisation}"))
}

/// Returns the message that a repository, known only by its host, is not allowed, and how to allow it.
#[must_use]
pub fn git_host_refusal(host: &str) -> String {
    if host_is_never_allowed(host) {
        return never(host);
    }
    refusal(
        &format!("a repository of {host}"),
        "git",
        &format!("{host}/ORGANISATION"),
    )
}

pub(super) fn read_rules(fields: &mut Fields<'_>, faults: &mut Faults) -> Vec<GitRule> {
    let pointer = fields.pointer("git");
    match fields.get("git") {
        None => Vec::new(),
        Some(Value::Array(items)) => {
            let numbered = items.iter().enumerate();
            numbered
                .filter_map(|(index, item)| read_rule(item, &format!("{pointer}/{index}"), faults))
                .collect()
        }
        Some(_) => {
            faults.add(
                pointer,
                "must be a list, as in [github.com/acme, {host: git.example.com}]",
            );
            Vec::new()
        }
    }
}

fn read_rule(value: &Value, pointer: &str, faults: &mut Faults) -> Option<GitRule> {
    let rule = if let Value::String(text) = value {
        let (host, organisation) = text.split_once('/').unwrap_or((text, ""));
        let organisation = organisation.trim_matches('/');
        GitRule {
            host: host.to_ascii_lowercase(),
            organisations: (!organisation.is_empty())
                .then(|| organisation.to_owned())
                .into_iter()
                .collect(),
            known_hosts: None,
        }
    } else {
        let mut fields = Fields::of(value, pointer, faults)?;
        let rule = GitRule {
            host: fields
                .required_line("host", 255, faults)
                .unwrap_or_default()
                .to_ascii_lowercase(),
            organisations: fields.lines("organisations", MAX_LINE_BYTES, faults),
            known_hosts: known_hosts::read(&mut fields, MAX_KNOWN_HOSTS_BYTES, faults),
        };
        fields.finish(faults);
        rule
    };
    let organisations = rule.organisations.iter().map(|name| as_read(name)).collect();
    let Some(organisations) = organisations else {
        faults.add(
            pointer,
            "must name an organisation by its path without `.`, `..` and empty parts",
        );
        return None;
    };
    let rule = GitRule { organisations, ..rule };
    if rule.host.is_empty() || rule.host.ends_with(':') || rule.host.contains(['/', '@', '*', ' ']) {
        faults.add(
            pointer,
            "must name a host and no URL, as in \"github.com/acme\" or {host: github.com, organisations: [acme]}",
        );
    }
    Some(rule)
}

/// Returns an organisation's path as the host reads it, in the form of [`RepoUrl::path`].
fn as_read(organisation: &str) -> Option<String> {
    let parts: Option<Vec<String>> = organisation.trim_matches('/').split('/').map(decoded).collect();
    parts.map(|parts| parts.join("/"))
}
