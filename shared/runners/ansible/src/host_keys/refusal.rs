//! Reads what OpenSSH says when it refuses a host for its key. Its wording is the same since release 6, except where noted.

use std::path::PathBuf;

use super::address;

/// What Ansible says when its own ssh cannot connect. A task may run another ssh, on any host.
const OF_ANSIBLE: [&str; 2] = [
    "Failed to connect to the host via ",
    "Make sure this host can be reached over ssh",
];
const OF_SSH: &str = "Host key verification failed";
/// What Ansible says in place of ssh's words if there is a password.
const WITH_PASSWORD: &str =
    "Using a SSH password instead of a key is not possible because Host Key checking is enabled";

/// A host that was refused for its key.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Refusal {
    /// The name by which ssh looked up the key, such as `web1` or `[web1]:2222`; ssh does not always give it.
    pub(super) host: Option<String>,
    /// The type of the key that the host showed, as ssh calls it: `ED25519`.
    pub(super) kind: Option<String>,
    pub(super) why: Why,
}

/// Why a host was refused.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) enum Why {
    /// No key of the host is known.
    #[default]
    Unknown,
    /// Its key is not the known one.
    Changed(Change),
    /// Its key is marked as one that must not be trusted.
    Revoked,
}

/// What ssh says about a key that has changed.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Change {
    /// The fingerprint of the key that the host showed.
    pub(super) shown: Option<String>,
    /// The file and the line of the known key.
    pub(super) known: Option<(PathBuf, usize)>,
}

impl Refusal {
    /// Reads one of Ansible's messages.
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

/// Returns whether a message ends with the words with which ssh ends a refusal. A banner, in which a host writes what it likes,
/// comes only after the host's key was accepted, and ssh then ends with other words.
fn ends_with_refusal(message: &str) -> bool {
    let mut lines = message.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    lines.next().is_some_and(|line| line.contains(OF_SSH))
}

/// Returns whether a text is a name or an address, possibly as `[host]:port`, that is safe in a command. What the message says
/// is not trusted.
fn is_plain(name: &str) -> bool {
    let (host, port) = address(name);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte);
    !host.is_empty() && !host.starts_with('-') && host.bytes().all(plain) && port.parse::<u16>().is_ok()
}

fn is_kind(kind: &str) -> bool {
    !kind.starts_with('-') && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Reads the two values between the fixed words of a line; anything may follow.
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
