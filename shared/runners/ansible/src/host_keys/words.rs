//! The sentences about a host that was refused for its key.

use std::path::Path;

use callboard_core::credential::known_hosts::HostKey;
use callboard_kind_ansible::policy::HostKeyChecking;
use callboard_process::files::read_untrusted;

use super::refusal::{Change, Refusal, Why};
use super::{Facts, MAX_FILE_BYTES, address};
use crate::known_hosts::{ACCEPTED, CREDENTIAL, POLICY};
use crate::settings::Home;

/// Returns a sentence on what is wrong with a host's key and what to do; `seen` is the key that the host shows when it is asked.
pub(super) fn sentence(refusal: &Refusal, seen: Option<&HostKey>, facts: &Facts<'_>) -> String {
    let host = refusal.host.as_deref().map(|name| {
        let (host, port) = address(name);
        format!("The host key of {host} port {port}")
    });
    match (&refusal.why, host) {
        (Why::Unknown, Some(host)) => format!("{host} is not known. {}", accepting(refusal, seen, facts)),
        (Why::Unknown, None) => format!(
            "The host key is not known, or has changed. {}",
            accepting(refusal, seen, facts)
        ),
        (Why::Changed(change), host) => {
            let host = host.unwrap_or_else(|| "The host key".to_owned());
            format!("{host} has changed: {}", changed(refusal, change, facts))
        }
        (Why::Revoked, host) => {
            let host = host.unwrap_or_else(|| "The host key".to_owned());
            format!("{host} is marked as revoked: whoever shows it may have stolen it. Give the host a new key.")
        }
    }
}

fn accepting(refusal: &Refusal, seen: Option<&HostKey>, facts: &Facts<'_>) -> String {
    let key = key(refusal);
    let sees = seen.map_or(String::new(), |seen| {
        format!("ssh-keyscan sees the {key} {}. ", seen.fingerprint())
    });
    let places = match facts.home {
        Home::Callers => "~/.ssh/known_hosts",
        Home::Private => {
            "known_hosts of the ssh credential, of the policy or of the service's user (~/.ssh/known_hosts)"
        }
    };
    let others = match (facts.home, facts.checking) {
        (Home::Callers, _) => ".",
        (_, HostKeyChecking::Strict) => ", or set host_key_checking: accept-new in the policy.",
        (_, HostKeyChecking::AcceptNew) => {
            ". StrictHostKeyChecking in ssh's configuration, ansible.cfg or the inventory takes precedence over accept-new of \
             the policy."
        }
    };
    let line = match (seen, refusal.host.as_deref().map(address)) {
        (Some(seen), _) => format!("Its line: {seen}"),
        (None, Some((host, port))) => format!("Its line is what `ssh-keyscan -p {port} {host}` prints."),
        (None, None) => "Its line is what `ssh-keyscan -p PORT HOST` prints.".to_owned(),
    };
    format!("{sees}{} Then add it to {places}{others} {line}", comparing(refusal))
}

fn changed(refusal: &Refusal, change: &Change, facts: &Facts<'_>) -> String {
    let shown = change.shown.as_deref().unwrap_or("with another fingerprint");
    let shown = format!("it shows the {} {shown}", key(refusal));
    let Some((file, number)) = &change.known else {
        return format!(
            "{shown}. {} If they are the same, replace the former key.",
            anew(refusal)
        );
    };
    let (from, cure) = place(file, *number, refusal.host.as_deref().unwrap_or("HOST"), facts);
    let known = match nth_key(file, *number) {
        Some(key) => format!("known from {from} is the {} key {}", key.kind(), key.fingerprint()),
        None => format!("another one is known from {from}"),
    };
    format!("{shown}; {known}. {} If they are the same, {cure}.", anew(refusal))
}

fn anew(refusal: &Refusal) -> String {
    let compare = comparing(refusal);
    format!("Either the host was set up again, or somebody is intercepting the connection. {compare}")
}

/// Returns where a known key comes from, and what to do with it.
fn place(file: &Path, line: usize, host: &str, facts: &Facts<'_>) -> (String, String) {
    let name = file.strip_prefix(facts.folder).ok().and_then(Path::to_str);
    let whose = match name {
        Some(ACCEPTED) => {
            let how = (facts.how_to_forget)(host);
            return ("an earlier job".to_owned(), format!("forget the former one: {how}"));
        }
        Some(CREDENTIAL) => "known_hosts of the ssh credential".to_owned(),
        Some(POLICY) => "known_hosts of the policy".to_owned(),
        _ => file.display().to_string(),
    };
    let cure = format!("replace line {line} of {whose}");
    (whose, cure)
}

/// Reads the key on a line of a file. The file is not trusted, because its name may come from the host's own words.
fn nth_key(file: &Path, number: usize) -> Option<HostKey> {
    let text = read_untrusted(file, 0, MAX_FILE_BYTES).ok()?;
    let text = String::from_utf8_lossy(&text);
    HostKey::of_any_line(text.lines().nth(number.checked_sub(1)?)?)
}

fn key(refusal: &Refusal) -> String {
    refusal
        .kind
        .as_ref()
        .map_or("key".to_owned(), |kind| format!("{kind} key"))
}

fn comparing(refusal: &Refusal) -> String {
    let kind = refusal.kind.as_deref().unwrap_or("*").to_ascii_lowercase();
    format!("Compare its fingerprint with what `ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub` prints on the host.")
}
