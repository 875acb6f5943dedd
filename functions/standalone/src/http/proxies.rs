//! The client's address, and whether it speaks HTTPS, as the proxies in front of the service tell it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderName};
use callboard_api::Transport;
use ipnet::{IpNet, Ipv4Net};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// How many bits of an IPv6 address say that it is an IPv4 address.
const MAPPED_BITS: u8 = 96;

/// An address, or a network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Network(IpNet);

/// Why a text is not a [`Network`].
#[derive(Debug, thiserror::Error, Eq, PartialEq)]
pub(crate) enum NotANetwork {
    #[error("must be an address or a network, such as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32")]
    Unreadable,
    #[error("has bits beyond its prefix; the network is {0}, and an address has no prefix")]
    Longer(IpNet),
    #[error("is every address: any client could then say that it is another one")]
    Everything,
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let text = text.trim();
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse::<IpNet>().map_err(|_| NotANetwork::Unreadable)?,
        };
        if network.prefix_len() == 0 {
            return Err(NotANetwork::Everything);
        }
        if network != network.trunc() {
            return Err(NotANetwork::Longer(network.trunc()));
        }
        Ok(Self(canonical(network)))
    }
}

/// Returns the IPv4 network that an IPv6 network is, if it is one.
fn canonical(network: IpNet) -> IpNet {
    let bits = network.prefix_len().checked_sub(MAPPED_BITS);
    match (network.addr().to_canonical(), bits) {
        (IpAddr::V4(address), Some(bits)) if matches!(network, IpNet::V6(_)) => {
            Ipv4Net::new(address, bits).map_or(network, IpNet::V4)
        }
        _ => network,
    }
}

/// The proxies that are believed when they tell whose request they pass on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies(Arc<[Network]>);

impl Proxies {
    /// Believes what comes from the given addresses.
    pub(crate) fn new(networks: &[Network]) -> Self {
        Self(networks.into())
    }

    /// Returns whether an address is that of a proxy.
    pub(super) fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|Network(network)| network.contains(&address))
    }

    /// Returns the address of the client whose request a peer sends; its own, if it is no proxy or tells nothing that can be read.
    /// A client's port is not known.
    pub(super) fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> SocketAddr {
        if !self.trust(peer.ip()) {
            return peer;
        }
        let told = |name| headers.contains_key(name);
        let forwarded = told(&FORWARDED).then(|| self.farthest(named(headers, &FORWARDED, forwarded_for)));
        let list = told(&X_FORWARDED_FOR).then(|| self.farthest(named(headers, &X_FORWARDED_FOR, address)));
        let client = match (forwarded, list) {
            // a proxy sets one of them, and may pass on what the client has set in the other
            (Some(one), Some(other)) if one != other => None,
            (Some(told), _) | (None, Some(told)) => told,
            (None, None) => None,
        };
        client.map_or(peer, |client| SocketAddr::new(client, 0))
    }

    /// Returns how the client reaches the proxy, if a peer is one and says so. The proxy that the client reaches may be one of several, and
    /// a client may say HTTPS itself: it then gets a cookie that its browser does not take.
    pub(super) fn transport(&self, peer: SocketAddr, headers: &HeaderMap) -> Option<Transport> {
        if !self.trust(peer.ip()) {
            return None;
        }
        let forwarded = named(headers, &FORWARDED, forwarded_proto);
        let told: Vec<Transport> = forwarded
            .chain(named(headers, &X_FORWARDED_PROTO, scheme))
            .flatten()
            .collect();
        let encrypted = told.contains(&Transport::Encrypted).then_some(Transport::Encrypted);
        encrypted.or(told.first().copied())
    }

    /// Follows the addresses, the nearest first, as far as proxies have told them. What stands beyond, the client itself may have made up.
    fn farthest(&self, chain: impl Iterator<Item = Option<IpAddr>>) -> Option<IpAddr> {
        let mut farthest = None;
        for address in chain {
            let address = address?.to_canonical();
            farthest = Some(address);
            if !self.trust(address) {
                break;
            }
        }
        farthest
    }
}

/// Reads the elements of a header, the last first.
///
/// A comma ends an element even within quotes. So what a client leaves open does not swallow what the proxy adds to it; and a quoted
/// text, of which a client may have chosen a part, is cut into pieces that cannot be read.
fn named<T>(headers: &HeaderMap, name: &HeaderName, read: fn(&str) -> Option<T>) -> impl Iterator<Item = Option<T>> {
    let lines = headers.get_all(name).iter().rev();
    let elements = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let elements = elements.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty());
    elements.map(move |element| read(std::str::from_utf8(element).ok()?))
}

/// Reads an element of `Forwarded` (RFC 7239), such as `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut found = None;
    let pairs = element.split(';').map(str::trim).filter(|pair| !pair.is_empty());
    for pair in pairs {
        let (name, value) = pair.split_once('=')?;
        let value = unquoted(value)?;
        if name.eq_ignore_ascii_case("for") && found.replace(address(value)?).is_some() {
            return None;
        }
    }
    found
}

/// Reads the scheme of an element of `Forwarded`.
fn forwarded_proto(element: &str) -> Option<Transport> {
    let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("proto"))?;
    scheme(unquoted(value)?)
}

fn scheme(text: &str) -> Option<Transport> {
    match text {
        https if https.eq_ignore_ascii_case("https") => Some(Transport::Encrypted),
        http if http.eq_ignore_ascii_case("http") => Some(Transport::Plain),
        _ => None,
    }
}

fn unquoted(value: &str) -> Option<&str> {
    let inner = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => value,
    };
    let is_plain = !inner.is_empty() && !inner.contains(['"', '\\']);
    is_plain.then_some(inner)
}

/// Reads an address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (address, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            (address.parse::<Ipv6Addr>().ok()?.into(), port)
        }
        None => {
            let (address, port) = text.split_at(text.find(':')?);
            (address.parse::<Ipv4Addr>().ok()?.into(), port)
        }
    };
    is_port(port).then_some(address)
}

/// Returns whether this is nothing, or a colon and a port, which may be hidden behind a name such as `_a`.
fn is_port(text: &str) -> bool {
    let hidden = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    match text.strip_prefix(':') {
        None => text.is_empty(),
        Some(port) => match port.strip_prefix('_') {
            Some(name) => !name.is_empty() && hidden(name),
            None => port.parse::<u16>().is_ok() && !port.starts_with('+'),
        },
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    type Failure = Box<dyn std::error::Error>;

    const PROXIES: &[&str] = &["127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48", "::ffff:192.0.2.0/120"];

    fn proxies() -> Result<Proxies, NotANetwork> {
        let networks = PROXIES.iter().map(|text| text.parse());
        Ok(Proxies::new(&networks.collect::<Result<Vec<_>, _>>()?))
    }

    fn client(peer: &str, headers: &[(&HeaderName, &str)]) -> Result<String, Failure> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes())?);
        }
        let client = proxies()?.client(SocketAddr::new(peer.parse()?, 4711), &map);
        Ok(client.ip().to_string())
    }

    #[test]
    fn networks_are_addresses_with_or_without_a_prefix() -> Result<(), Failure> {
        let proxies = proxies()?;
        for (address, trusted) in [
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("10.255.0.1", true),
            ("11.0.0.0", false),
            ("::ffff:10.0.0.1", true),
            ("::ffff:11.0.0.1", false),
            ("192.0.2.255", true),
            ("::ffff:192.0.2.1", true),
            ("192.0.3.0", false),
            ("2001:db8:1:ffff::1", true),
            ("2001:db8:2::1", false),
            ("::1", false),
        ] {
            assert_eq!(proxies.trust(address.parse()?), trusted, "{address}");
        }
        assert!(!Proxies::default().trust([127, 0, 0, 1].into()));
        Ok(())
    }

    #[test]
    fn what_is_no_network_is_refused_with_what_would_be_right() {
        let refused = |text: &str| text.parse::<Network>().map_err(|error| error.to_string()).err();
        for text in [
            "",
            "proxy.example.com",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0/8",
            "[::1]",
            "::1/129",
            "10.0.0.1:80",
        ] {
            assert!(
                refused(text).is_some_and(|told| told.contains("10.0.0.0/8 or")),
                "{text}"
            );
        }
        for text in ["0.0.0.0/0", "::/0"] {
            assert!(
                refused(text).is_some_and(|told| told.contains("every address")),
                "{text}"
            );
        }
        assert!(refused("10.1.2.3/8").is_some_and(|told| told.contains("the network is 10.0.0.0/8,")));
        assert_eq!(refused(" 10.1.2.3/32 "), None);
    }

    #[test]
    fn only_a_proxy_tells_the_client_and_only_as_far_as_proxies_go() -> Result<(), Failure> {
        let of = |peer, value| client(peer, &[(&X_FORWARDED_FOR, value)]);
        for (peer, value, expected) in [
            ("203.0.113.1", "198.51.100.1", "203.0.113.1"),
            ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("127.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
            ("127.0.0.1", "garbage, 198.51.100.1", "198.51.100.1"),
            (
                "127.0.0.1",
                "6.6.6.6, 198.51.100.1,10.1.2.3 , ::ffff:10.0.0.9",
                "198.51.100.1",
            ),
            ("127.0.0.1", "10.1.2.3, 10.0.0.1", "10.1.2.3"),
            ("127.0.0.1", "198.51.100.1, garbage", "127.0.0.1"),
            ("127.0.0.1", "198.51.100.1, garbage, 10.0.0.1", "127.0.0.1"),
            ("127.0.0.1", "198.51.100.1,,", "198.51.100.1"),
            ("127.0.0.1", "", "127.0.0.1"),
            ("127.0.0.1", "unknown", "127.0.0.1"),
            ("127.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
            ("127.0.0.1", "198.51.100.1:", "127.0.0.1"),
            ("127.0.0.1", "198.51.100.1:99999", "127.0.0.1"),
            ("127.0.0.1", "198.51.100.1 6.6.6.6", "127.0.0.1"),
            ("127.0.0.1", "2001:db8::1", "2001:db8::1"),
            ("127.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
            ("127.0.0.1", "[2001:db8::1", "127.0.0.1"),
            ("127.0.0.1", "fe80::1%eth0", "127.0.0.1"),
            ("127.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
            ("127.0.0.1", "198.51.100.1, \u{e9}", "127.0.0.1"),
        ] {
            assert_eq!(of(peer, value)?, expected, "{peer} {value}");
        }
        let lines = [(&X_FORWARDED_FOR, "6.6.6.6"), (&X_FORWARDED_FOR, "198.51.100.1")];
        assert_eq!(client("127.0.0.1", &lines)?, "198.51.100.1");
        assert_eq!(client("127.0.0.1", &[])?, "127.0.0.1");
        Ok(())
    }

    #[test]
    fn only_a_proxy_tells_that_the_client_speaks_https() -> Result<(), Failure> {
        let (proxies, plain, encrypted) = (proxies()?, Some(Transport::Plain), Some(Transport::Encrypted));
        for (peer, name, value, expected) in [
            ("203.0.113.1", &X_FORWARDED_PROTO, "https", None),
            ("127.0.0.1", &X_FORWARDED_PROTO, "HTTPS", encrypted),
            ("127.0.0.1", &X_FORWARDED_PROTO, "https, http", encrypted),
            ("127.0.0.1", &X_FORWARDED_PROTO, "http", plain),
            ("127.0.0.1", &X_FORWARDED_PROTO, "ws", None),
            ("127.0.0.1", &FORWARDED, "for=198.51.100.1;Proto=https", encrypted),
            ("127.0.0.1", &FORWARDED, "proto=\"http\";for=198.51.100.1", plain),
            ("127.0.0.1", &FORWARDED, "for=198.51.100.1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            let told = proxies.transport(SocketAddr::new(peer.parse()?, 4711), &headers);
            assert_eq!(told, expected, "{peer} {value}");
        }
        Ok(())
    }

    #[test]
    fn forwarded_is_read_as_its_standard_says_and_goes_first() -> Result<(), Failure> {
        for (value, expected) in [
            ("for=198.51.100.1", "198.51.100.1"),
            ("For=\"198.51.100.1:4711\";proto=https;by=10.0.0.1;", "198.51.100.1"),
            (
                "by=10.0.0.1; host=\"jobs.example.com\"; FOR=198.51.100.1",
                "198.51.100.1",
            ),
            ("for=\"[2001:db8::1]:_a.b\"", "2001:db8::1"),
            ("for=\"[2001:db8::1]\"", "2001:db8::1"),
            (
                "for=6.6.6.6, for=198.51.100.1;proto=https, for=10.0.0.1",
                "198.51.100.1",
            ),
            ("for=\"6.6.6.6, for=198.51.100.1", "198.51.100.1"),
            // a name that the client has chosen, quoted by the proxy
            ("for=198.51.100.1;host=\"a, for=6.6.6.6\"", "127.0.0.1"),
            ("for=198.51.100.1;host=\"a, for=6.6.6.6;x=\\\"b\"", "127.0.0.1"),
            ("for=198.51.100.1;host=\"a;for=6.6.6.6\"", "127.0.0.1"),
            ("for=198.51.100.1;for=6.6.6.6", "127.0.0.1"),
            ("for=unknown", "127.0.0.1"),
            ("for=_hidden", "127.0.0.1"),
            ("for=\"\"", "127.0.0.1"),
            ("for=", "127.0.0.1"),
            ("for", "127.0.0.1"),
            ("proto=https", "127.0.0.1"),
            ("for=\"198.51.100.1", "127.0.0.1"),
            ("for=\"[198.51.100.1]\"", "127.0.0.1"),
            ("\"", "127.0.0.1"),
        ] {
            assert_eq!(client("127.0.0.1", &[(&FORWARDED, value)])?, expected, "{value}");
            // where they do not agree, the client may have sent one of them
            let both = [(&X_FORWARDED_FOR, "203.0.113.7"), (&FORWARDED, value)];
            assert_eq!(client("127.0.0.1", &both)?, "127.0.0.1", "{value}");
        }
        Ok(())
    }
}
