//! Matches hosts against the lines of `known_hosts`: names, patterns and hashed names, as ssh does.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Returns whether any of the lines is for a host, given as the name by which ssh looks it up.
#[must_use]
pub fn knows(lines: &str, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    lines.lines().any(|line| is_for(line, &host))
}

fn is_for(line: &str, host: &str) -> bool {
    let mut words = line.split_whitespace().peekable();
    words.next_if(|word| word.starts_with('@'));
    let Some(names) = words.next().filter(|names| !names.starts_with('#')) else {
        return false;
    };
    if let Some(hashed) = names.strip_prefix("|1|") {
        return is_hash_of(hashed, host).unwrap_or(false);
    }
    let mut found = false;
    for name in names.split(',') {
        match name.strip_prefix('!') {
            Some(not) if matches(not.to_ascii_lowercase().as_bytes(), host.as_bytes()) => return false,
            Some(_) => {}
            None => found |= matches(name.to_ascii_lowercase().as_bytes(), host.as_bytes()),
        }
    }
    found
}

/// Returns whether `hashed`, a salt and a hash in base64, is the hash of a host.
fn is_hash_of(hashed: &str, host: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let (salt, hash) = (STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?);
    let mut mac = Hmac::<Sha1>::new_from_slice(&salt).ok()?;
    mac.update(host.as_bytes());
    Some(mac.verify_slice(&hash).is_ok())
}

/// Matches a pattern with `*` and `?`. On a mismatch, the last star seen takes one more byte.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star = None;
    while read < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[read] => (at, read) = (at + 1, read + 1),
            _ => {
                let Some((place, begun)) = star else { return false };
                star = Some((place, begun + 1));
                (at, read) = (place + 1, begun + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_for_the_hosts_that_ssh_finds_in_it() {
        // `ssh-keygen -H` wrote the hash in the last two
        for (names, host, found) in [
            ("web1", "web1", true),
            ("WEB1,10.0.0.1", "web1", true),
            ("web1", "web10", false),
            ("[web1]:2222", "[web1]:2222", true),
            ("[web1]:2222", "web1", false),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com,!b.example.com", "b.example.com", false),
            ("web?", "web1", true),
            ("w*b*1", "wxbyb1", true),
            ("w*b*1", "wxbyb2", false),
            ("@cert-authority *", "web1", true),
            ("# web1", "web1", false),
            (
                "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg=",
                "192.168.1.61",
                true,
            ),
            (
                "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg=",
                "192.168.1.62",
                false,
            ),
        ] {
            let line = format!("{names} ssh-ed25519 AAAA");
            assert_eq!(knows(&line, host), found, "{names} {host}");
        }
    }
}
