//! Reading what OpenSSH says when it refuses a host for its key. Its words have been these since release 6, but where noted.

use std::path::PathBuf;

use super::address;

/// What Ansible says when its own ssh has no connection; a task may run an ssh of its own, on any host.
const OF_ANSIBLE: [&str; 2] = [
    "Failed to connect to the host via ",
    "Make sure this host can be reached over ssh",
];
const OF_SSH: &str = "Host key verification failed";
/// What Ansible says in place of ssh's words where there is a password.
const WITH_PASSWORD: &str =
    "Using a SSH password instead of a key is not possible because Host Key checking is enabled";

/// A host that was refused for its key.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Refusal {
    /// What ssh looked the key up by, such as `web1` or `[web1]:2222`; it does not always say.
    pub(super) host: Option<String>,
    /// The type of the key that the host has shown, as ssh calls it: `ED25519`.
    pub(super) kind: Option<String>,
    pub(super) why: Why,
}

/// Why a host was refused.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) enum Why {
    /// No key of it is known.
    #[default]
    Unknown,
    /// It has another key than the one that is known.
    Changed(Change),
    /// Its key is marked as one that must not be trusted.
    Revoked,
}

/// What is told of a key that has changed.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Change {
    /// The fingerprint of the key that the host has shown.
    pub(super) shown: Option<String>,
    /// The file and the line of the key that is known.
    pub(super) known: Option<(PathBuf, usize)>,
}

impl Refusal {
    /// Reads a message of Ansible's.
    pub(super) fn read(message: &str) -> Option<Self> {
        if message.contains(WITH_PASSWORD) {
            return Some(Self::default());
        }
        if !ends_with_refusal(message) || !OF_ANSIBLE.iter().any(|words| message.contains(words)) {
            return None;
        }
        let (mut refusal, mut change, mut shown) = (Self::default(), Change::default(), None);
        for line in message.lines().map(str::trim) {
            if let Some((kind, host)) = read(line, "No ", " host key is known for ", " and you have") {
                (refusal.kind, refusal.host) = (Some(kind), Some(host));
            } else if let Some((_, kind)) = read(line, "The fingerprint for", " the ", " key sent by") {
                shown = Some(kind);
            } else if let Some(fingerprint) = line.strip_suffix('.').filter(|line| line.starts_with("SHA256:")) {
                change.shown = Some(fingerprint.to_owned());
            } else if let Some((_, place)) = read(line, "Offending ", " key in ", "") {
                change.known = place
                    .rsplit_once(':')
                    .and_then(|(file, line)| Some((file.into(), line.parse().ok()?)));
            } else if let Some((_, host)) = read(line, "", "ost key for ", " has changed and you have") {
                // before release 8.5: "ED25519 host key for"
                (refusal.kind, refusal.host) = (shown.take(), Some(host));
                refusal.why = Why::Changed(std::mem::take(&mut change));
            } else if let Some((kind, host)) = read(line, "", " host key for ", " was revoked and you have") {
                (refusal.kind, refusal.host, refusal.why) = (Some(kind), Some(host), Why::Revoked);
            }
        }
        refusal.host = refusal.host.filter(|name| is_plain(name));
        refusal.kind = refusal.kind.filter(|kind| is_kind(kind));
        Some(refusal)
    }
}

/// ssh ends with these words. A banner, which a host writes as it likes, comes only after its key was accepted; then ssh ends
/// with others.
fn ends_with_refusal(message: &str) -> bool {
    let mut lines = message.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    lines.next().is_some_and(|line| line.contains(OF_SSH))
}

/// Tells whether it is a name or an address, with a port in brackets, that can stand in a command. Nobody vouches for what the
/// message says.
fn is_plain(name: &str) -> bool {
    let (host, port) = address(name);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte);
    !host.is_empty() && !host.starts_with('-') && host.bytes().all(plain) && port.parse::<u16>().is_ok()
}

fn is_kind(kind: &str) -> bool {
    !kind.starts_with('-') && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Reads a line of two words among others; anything may follow.
fn read(line: &str, before: &str, between: &str, after: &str) -> Option<(String, String)> {
    let at = if before.is_empty() {
        0
    } else {
        line.find(before)? + before.len()
    };
    let (first, rest) = line[at..].split_once(between)?;
    let end = if after.is_empty() {
        rest.len()
    } else {
        rest.find(after)?
    };
    Some((first.to_owned(), rest[..end].to_owned()))
}
