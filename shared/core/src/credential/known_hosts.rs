//! Lines of `known_hosts`, which list the keys of hosts. The manual page sshd(8) describes their format.

mod names;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

pub use self::names::knows;
use crate::base::fields::{Faults, Fields};

const FIELD: &str = "known_hosts";
const MAX_FAULTS: usize = 10;
const MAX_NAME_BYTES: usize = 300;
/// The length of a salt and of a hashed name: SHA-1.
const HASH_BYTES: usize = 20;

/// The key of one host.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct HostKey {
    /// The name or address by which ssh looks up the key; `[NAME]:PORT` if the port is not 22.
    pub host: String,
    /// Its type and, after a space, the key in base64.
    pub key: String,
}

impl HostKey {
    /// Reads a line as ssh writes it when it accepts a key. Returns one key for each name in the line, and none if the line has a
    /// marker or a pattern or is not a line of `known_hosts`.
    #[must_use]
    pub fn of_line(line: &str) -> Vec<Self> {
        let Some(found) = Self::of_any_line(line) else {
            return Vec::new();
        };
        let of_one = |host: &str| Self {
            host: host.to_owned(),
            key: found.key.clone(),
        };
        let plain = !line.trim_start().starts_with('@') && found.host.split(',').all(is_plain);
        let hosts = found.host.split(',').filter(|_| plain);
        hosts.map(of_one).collect()
    }

    /// Reads the key of any line that has one. The host is the line's host field as written, including patterns.
    #[must_use]
    pub fn of_any_line(line: &str) -> Option<Self> {
        check(line).ok()?;
        let mut words = line.split_whitespace().peekable();
        words.next_if(|word| word.starts_with('@'));
        let (host, kind, key) = (words.next()?, words.next()?, words.next()?);
        (!host.starts_with('#')).then(|| Self {
            host: host.to_owned(),
            key: format!("{kind} {key}"),
        })
    }

    /// Returns the key's type, such as `ssh-ed25519`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.key.split(' ').next().unwrap_or_default()
    }

    /// Returns the fingerprint that ssh shows: `SHA256:` and the key's hash in base64.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let key = self.key.rsplit(' ').next().unwrap_or_default();
        let key = STANDARD.decode(key).unwrap_or_default();
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.host, self.key)
    }
}

/// Reads the field `known_hosts`: a text of at most `max` bytes in which ssh must be able to read every line.
pub fn read(fields: &mut Fields<'_>, max: usize, faults: &mut Faults) -> Option<String> {
    let text = fields.text(FIELD, max, faults)?;
    let numbered = text.lines().enumerate();
    let wrong = numbered.filter_map(|(index, line)| Some((index + 1, check(line).err()?)));
    for (number, wrong) in wrong.take(MAX_FAULTS) {
        faults.add(
            fields.pointer(FIELD),
            format!("line {number} {wrong}; use the form that ssh-keyscan prints, as in \"web1 ssh-ed25519 AAAA…\""),
        );
    }
    Some(text.to_owned())
}

/// Says what is wrong with a line. Empty lines and comments are valid.
fn check(line: &str) -> Result<(), &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(());
    }
    let mut words = line.split_whitespace().peekable();
    match words.next_if(|word| word.starts_with('@')) {
        None | Some("@cert-authority" | "@revoked") => {}
        Some(_) => return Err("begins with a marker that is neither @cert-authority nor @revoked"),
    }
    let hosts = words.next().unwrap_or_default();
    let (Some(kind), Some(key)) = (words.next(), words.next()) else {
        return Err("lacks a host, the type of its key or the key");
    };
    if is_key(hosts, kind) {
        return Err("lacks the host before the key");
    }
    hosts.split(',').try_for_each(check_host)?;
    if is_key(kind, key) {
        Ok(())
    } else {
        Err("has no whole key of its type in base64")
    }
}

fn check_host(host: &str) -> Result<(), &'static str> {
    if let Some(hashed) = host.strip_prefix('|') {
        let mut parts = hashed.split('|');
        let is_hash = |part: &str| STANDARD.decode(part).is_ok_and(|hash| hash.len() == HASH_BYTES);
        let good = parts.next() == Some("1") && parts.by_ref().take(2).filter(|part| is_hash(part)).count() == 2;
        return if good && parts.next().is_none() {
            Ok(())
        } else {
            Err("has a hashed host that is not whole")
        };
    }
    let host = host.strip_prefix('!').unwrap_or(host);
    if host.is_empty() || host.contains(['/', '@', '|', '"']) {
        return Err("has a host that is no name, address or pattern");
    }
    if !host.starts_with('[') && host.matches(':').count() == 1 {
        return Err("has a port without brackets, which are needed as in [web1]:2222");
    }
    Ok(())
}

/// Returns whether a key is complete and of the given type. A key is a series of length-prefixed strings; the first is the type.
fn is_key(kind: &str, key: &str) -> bool {
    let Ok(bytes) = STANDARD.decode(key) else {
        return false;
    };
    let (mut rest, mut parts) = (&bytes[..], Vec::new());
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some((part, next)) = after.split_at_checked(length) else {
            return false;
        };
        parts.push(part);
        rest = next;
    }
    rest.is_empty() && parts.len() > 1 && parts[0] == kind.as_bytes()
}

/// Returns whether ssh would write this as a host: it is not a pattern, and no other program could mistake it for an option.
fn is_plain(host: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%[]|+/=".contains(&byte);
    !host.starts_with('-') && host.len() <= MAX_NAME_BYTES && host.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMSfNIH3MoVOc8yMlMVdiMdWLZmjBIzQSbSSvZAr7skT";

    fn faults(text: &str) -> Vec<String> {
        let mut faults = Faults::default();
        let object: Value = json!({ FIELD: text });
        if let Some(mut fields) = Fields::of(&object, "", &mut faults) {
            read(&mut fields, 4096, &mut faults);
        }
        let told = faults.into_inner().into_iter();
        told.map(|fault| format!("{} {}", fault.pointer, fault.detail))
            .collect()
    }

    #[test]
    fn every_form_that_ssh_reads_is_taken() {
        let hash = "|1|j8sgi/qcOfB94jwlajhBdJc45sU=|GRPSAOezG/lxCNFFKJkipyGmjTA=";
        let text = format!(
            "# a comment\n\nweb1 {KEY}\nweb1,10.0.0.1 {KEY} root@web1\n[web1]:2222 {KEY}\r\n*.example.com,!bad.example.com {KEY}\n\
             2001:db8::1 {KEY}\n  {hash} {KEY}\n@cert-authority *.example.com {KEY}\n@revoked * {KEY}\n"
        );
        assert_eq!(faults(&text), Vec::<String>::new());
    }

    #[test]
    fn a_line_that_ssh_would_pass_over_is_told_with_its_number() {
        let (cut, of_another) = (&KEY[..40], KEY.replace("ssh-ed25519", "ssh-rsa"));
        for (line, told) in [
            ("web1", "lacks a host, the type"),
            (KEY, "lacks a host, the type"),
            (&format!("{KEY} root@web1"), "lacks the host before the key"),
            (&format!("web1 {cut}"), "has no whole key"),
            (&format!("web1 {of_another}"), "has no whole key"),
            (&format!("web1:2222 {KEY}"), "brackets"),
            (&format!("@trusted web1 {KEY}"), "marker"),
            (&format!("|1|abc|def {KEY}"), "hashed"),
            (&format!("web1, {KEY}"), "no name"),
            (&format!("ssh://web1 {KEY}"), "no name"),
        ] {
            let text = format!("web0 {KEY}\n{line}\n");
            let told_of = faults(&text);
            assert_eq!(told_of.len(), 1, "{line}: {told_of:?}");
            let fault = told_of.first().map(String::as_str).unwrap_or_default();
            assert!(
                fault.starts_with("/known_hosts line 2 ") && fault.contains(told),
                "{line}: {fault}"
            );
        }
        assert_eq!(faults(&"x\n".repeat(100)).len(), MAX_FAULTS);
    }

    #[test]
    fn only_what_ssh_writes_by_itself_is_the_key_of_a_host() {
        let named = |line: &str| {
            HostKey::of_line(line)
                .into_iter()
                .map(|key| key.host)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            named(&format!("[web1]:2222,[10.0.0.1]:2222 {KEY}")),
            ["[web1]:2222", "[10.0.0.1]:2222"]
        );
        for line in [
            "",
            "# web1",
            "web1",
            &format!("* {KEY}"),
            &format!("@revoked web1 {KEY}"),
            &format!("!a {KEY}"),
            &format!("-oX {KEY}"),
        ] {
            assert_eq!(named(line), Vec::<String>::new(), "{line}");
        }
        let key = HostKey::of_line(&format!("web1 {KEY} comment")).pop();
        let key = key.map(|key| (key.to_string(), key.kind().to_owned(), key.fingerprint()));
        let fingerprint = "SHA256:EaofoZBPVarxAEQKgS9CKaHKm1TxNfjEmAfEnpRz3eg".to_owned();
        assert_eq!(
            key,
            Some((format!("web1 {KEY}"), "ssh-ed25519".to_owned(), fingerprint))
        );
    }
}
