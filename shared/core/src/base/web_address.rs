//! Parses http and https addresses, and decodes the parts of a path as their receiver does.

use percent_encoding::percent_decode_str;

/// Characters that a part of a path must not contain after decoding. A remaining `%` could be decoded a second time by another
/// program; some servers treat the last few characters as a dot or a slash.
const HIDDEN: &str = "/\\\"'`<>{}|^?#;$*%\u{ff0e}\u{2024}\u{2025}\u{2026}\u{ff0f}\u{ff3c}\u{2215}";

/// An http or https address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WebAddress<'a> {
    /// The host's name or address, as given; an IPv6 address is in brackets.
    pub host: &'a str,
    /// The port; the scheme's default if none was given.
    pub port: u16,
    /// Everything after the host and port: the path and the query.
    pub rest: &'a str,
}

impl<'a> WebAddress<'a> {
    /// Parses an address.
    ///
    /// # Errors
    /// The end of a sentence that says what is wrong. It does not repeat the address, which may hold a password.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        let secure = text.strip_prefix("https://").map(|rest| (rest, 443));
        let (after, own_port) = secure
            .or_else(|| text.strip_prefix("http://").map(|rest| (rest, 80)))
            .ok_or("must begin with https:// or http://")?;
        let (authority, rest) = after.split_at(after.find(['/', '?', '#']).unwrap_or(after.len()));
        if authority.contains('@') {
            return Err("must not hold a user or a password; name a credential");
        }
        let bad = |char: char| char.is_whitespace() || char.is_control() || "\\\"<>`{}|^".contains(char);
        if text.contains(bad) {
            return Err("must hold only characters that an address may have");
        }
        let port_at = authority
            .rfind(':')
            .filter(|at| authority[at + 1..].bytes().all(|byte| byte != b']'));
        let (host, port) = match port_at {
            Some(at) => (&authority[..at], parse_port(&authority[at + 1..])?),
            None => (authority, own_port),
        };
        if host.is_empty() || host.starts_with('-') || host.contains('%') {
            return Err("must name a host");
        }
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        if path.split('/').any(is_dots) {
            return Err("must have no `.` or `..` between its slashes");
        }
        Ok(Self { host, port, rest })
    }

    /// Returns the host in lower case with its port: `hub.example.com:443`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.host.to_ascii_lowercase(), self.port)
    }
}

/// Parses a port, which must consist of digits only.
///
/// # Errors
/// The text is not a port.
pub fn parse_port(text: &str) -> Result<u16, &'static str> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port != 0);
    port.ok_or("must have a number as its port")
}

/// Decodes a part of a path as its receiver does. Returns `None` if the part is empty, is `.` or `..`, has a broken escape, or
/// hides a character that it must not contain.
#[must_use]
pub fn decoded(part: &str) -> Option<String> {
    let is_escape = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    let text = percent_decode_str(part).decode_utf8().ok()?;
    let hides = text.contains(|char: char| char.is_control() || HIDDEN.contains(char));
    let good = part.split('%').skip(1).all(is_escape) && !matches!(&*text, "" | "." | "..") && !hides;
    good.then(|| text.into_owned())
}

fn is_dots(part: &str) -> bool {
    let text = percent_decode_str(part).decode_utf8_lossy();
    matches!(&*text, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_as_it_is_sent() {
        for (text, host, port, rest) in [
            (
                "https://hub.example.com/api/galaxy/",
                "hub.example.com",
                443,
                "/api/galaxy/",
            ),
            ("http://h", "h", 80, ""),
            ("http://H:8080?x=/../y", "H", 8080, "?x=/../y"),
            ("https://[::1]:8443/x", "[::1]", 8443, "/x"),
            ("https://[fe80::1]/x", "[fe80::1]", 443, "/x"),
            (
                "https://gitlab/api/v4/projects/a%2Fb/raw",
                "gitlab",
                443,
                "/api/v4/projects/a%2Fb/raw",
            ),
        ] {
            assert_eq!(WebAddress::parse(text), Ok(WebAddress { host, port, rest }), "{text}");
        }
        for text in [
            "",
            "h",
            "ftp://h/",
            "HTTPS://h/",
            "https://",
            "https:///x",
            "https://user@h/",
            "https://u:p@h/",
            "https://h:/x",
            "https://h:+443/x",
            "https://h:0/",
            "https://h:65536/",
            "https://h\\@x/",
            "https://%31%32%37.0.0.1/",
            "https://-h/",
            "https://h/a/../b",
            "https://h/%2e%2E/b",
            "https://h/.%2e",
            "https://h/./x",
            "https://h/a b",
            "https://h/a\tb",
        ] {
            assert!(WebAddress::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_part_of_a_path_is_read_once_and_hides_nothing() {
        for (part, text) in [
            ("site.git", "site.git"),
            ("my%20project", "my project"),
            ("%41cme", "Acme"),
            ("...", "..."),
        ] {
            assert_eq!(decoded(part).as_deref(), Some(text), "{part}");
        }
        for part in [
            "",
            ".",
            "..",
            "%2e",
            "%2E%2e",
            ".%2e",
            "a%2fb",
            "a%2F",
            "%5c",
            "a\\b",
            "%252e%252e",
            "%25",
            "%",
            "%2",
            "%zz",
            "%00",
            "%0a",
            "%c0%ae",
            "%ff",
            "%ef%bc%8e",
            "%e2%80%a5",
            "..;",
            "..%3b",
            "a%3fb",
            "a%23b",
        ] {
            assert_eq!(decoded(part), None, "{part}");
        }
    }
}
