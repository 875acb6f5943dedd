//! Hosts and origins, normalized for comparison.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use axum::http::uri::Authority;

/// A host name or address that the service is known by, without a port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostName(String);

/// Why a text is not a [`HostName`].
#[derive(Debug, thiserror::Error)]
#[error("must be a host name or an address without a port, such as jobs.example.com or [2001:db8::1]")]
pub struct NotAHostName;

/// The origin of a web page: a scheme, a host and a port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin(String);

/// Why a text is not an [`Origin`].
#[derive(Debug, thiserror::Error)]
#[error("must be an origin without a path, such as https://jobs.example.com or http://localhost:3000")]
pub struct NotAnOrigin;

impl FromStr for HostName {
    type Err = NotAHostName;

    fn from_str(text: &str) -> Result<Self, NotAHostName> {
        let authority = read(text).filter(|authority| authority.port().is_none() && !text.ends_with(':'));
        let host = authority.and_then(|_| host_of(text)).ok_or(NotAHostName)?;
        Ok(Self(host))
    }
}

impl PartialEq<String> for HostName {
    fn eq(&self, host: &String) -> bool {
        self.0 == *host
    }
}

impl FromStr for Origin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let text = text.to_ascii_lowercase();
        let (scheme, authority) = text.split_once("://").ok_or(NotAnOrigin)?;
        let authority = authority_of(scheme, authority).ok_or(NotAnOrigin)?;
        Ok(Self(format!("{scheme}://{authority}")))
    }
}

impl Origin {
    /// Returns the text, as browsers write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether this is the origin of pages served by the given `Host` itself. The scheme may differ: a proxy may terminate TLS.
    pub(super) fn is_of(&self, host: &str) -> bool {
        let own = self.0.split_once("://");
        own.is_some_and(|(scheme, own)| authority_of(scheme, &host.to_ascii_lowercase()).as_deref() == Some(own))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the host and port, without a port that is the scheme's default.
fn authority_of(scheme: &str, text: &str) -> Option<String> {
    let own_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let host = host_of(text)?;
    Some(match read(text)?.port_u16().filter(|port| *port != own_port) {
        Some(port) => format!("{host}:{port}"),
        None => host,
    })
}

/// Returns the host of a `Host` header in lower case; IPv6 addresses keep their brackets.
pub(super) fn host_of(text: &str) -> Option<String> {
    read(text).map(|authority| authority.host().to_ascii_lowercase())
}

/// Reads `host` or `host:port`. A user name or an invalid port is refused.
fn read(text: &str) -> Option<Authority> {
    let authority: Authority = text.parse().ok()?;
    let rest = text.strip_prefix(authority.host())?;
    let is_port = rest.is_empty() || rest == ":" || authority.port_u16().is_some();
    (is_port && !authority.host().is_empty() && !text.contains('@')).then_some(authority)
}

/// Returns whether a host is one of this machine's own names: `localhost` or a loopback address written in full.
pub(super) fn is_local(host: &str) -> bool {
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bracketed {
        Some(address) => address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()),
        None => host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_s_own_names_are_few_and_written_in_one_way() {
        for host in [
            "localhost",
            "127.0.0.1",
            "127.255.255.254",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "localhost.",
            "localhost.example.com",
            "notlocalhost",
            "127.1",
            "127.0.0.01",
            "2130706433",
            "0x7f.0.0.1",
            "0.0.0.0",
            "::1",
            "[::]",
            "[::ffff:127.0.0.1]",
            "127.0.0.1.nip.io",
            "",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }

    #[test]
    fn a_host_is_read_with_or_without_a_port_and_nothing_else() {
        for (text, host) in [
            ("LocalHost:8080", Some("localhost")),
            ("[::1]:80", Some("[::1]")),
            ("a.example", Some("a.example")),
            ("a.example:", Some("a.example")),
            ("localhost@evil.example", None),
            ("evil.example@localhost", None),
            ("localhost:80:80", None),
            ("localhost:x", None),
            ("localhost:99999", None),
            ("localhost, evil.example", None),
            ("localhost/evil", None),
            ("", None),
            (":80", None),
        ] {
            assert_eq!(host_of(text).as_deref(), host, "{text}");
        }
    }

    #[test]
    fn an_origin_is_that_of_a_host_whatever_the_scheme_and_without_its_own_port() {
        let is_of = |origin: &str, host: &str| origin.parse::<Origin>().is_ok_and(|origin| origin.is_of(host));
        for (origin, host) in [
            ("http://localhost:8080", "localhost:8080"),
            ("https://jobs.example.com", "Jobs.Example.com:443"),
            ("http://jobs.example.com:80", "jobs.example.com"),
            ("https://[::1]:8443", "[::1]:8443"),
        ] {
            assert!(is_of(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("null", "localhost"),
            ("http://localhost:8081", "localhost:8080"),
            ("http://localhost", "localhost:8080"),
            ("http://localhost.evil.example", "localhost"),
            ("http://evil.example", "localhost"),
            ("http://evil.example@localhost", "localhost"),
            ("file://localhost", "localhost"),
            ("http://localhost/", "localhost"),
            ("", ""),
        ] {
            assert!(!is_of(origin, host), "{origin} {host}");
        }
    }
}
