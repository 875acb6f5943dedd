//! Classifies addresses: which belong to the public internet (by IANA's registries of special-purpose addresses), and which no
//! policy allows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The IPv4 networks outside the public internet, as address and prefix length.
const SPECIAL_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The networks in 2000::/3 outside the public internet: protocol assignments with Teredo, documentation, 6to4.
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// The network that contains all public IPv6 addresses. Addresses that embed an IPv4 address (mapped, compatible, NAT64) lie
/// outside it.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Returns whether an address belongs to the public internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.into_iter().any(|network| within_v4(address, network)),
        IpAddr::V6(address) => {
            within_v6(address, GLOBAL_V6) && !SPECIAL_V6.into_iter().any(|network| within_v6(address, network))
        }
    }
}

/// Returns whether no policy allows an address: a link-local or metadata address, where clouds serve a machine's credentials.
#[must_use]
pub fn is_never_allowed(address: IpAddr) -> bool {
    const METADATA: (Ipv6Addr, u32) = (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32);
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_unicast_link_local()
                || within_v6(address, METADATA)
                || carried(address).is_some_and(|inner| inner.is_link_local())
        }
    }
}

/// Returns whether a host, as written in a URL, is such an address. A name never is.
#[must_use]
pub fn host_is_never_allowed(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse().is_ok_and(is_never_allowed)
}

/// Returns the IPv4 address that an IPv6 address embeds: mapped, compatible, NAT64 or 6to4.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let (high, low) = match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0 | 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => (g, h),
        (0x2002, ..) => (b, c),
        _ => return None,
    };
    Some(Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)))
}

fn within_v4(address: Ipv4Addr, (network, length): (Ipv4Addr, u32)) -> bool {
    (address.to_bits() ^ network.to_bits()).leading_zeros() >= length
}

fn within_v6(address: Ipv6Addr, (network, length): (Ipv6Addr, u32)) -> bool {
    (address.to_bits() ^ network.to_bits()).leading_zeros() >= length
}

#[cfg(test)]
mod tests {
    use std::net::AddrParseError;

    use super::*;

    fn addresses(list: &str) -> Result<Vec<IpAddr>, AddrParseError> {
        list.split_whitespace().map(str::parse).collect()
    }

    #[test]
    fn only_addresses_of_the_public_internet_are_public() -> Result<(), AddrParseError> {
        let public =
            "1.1.1.1 8.8.8.8 52.95.110.1 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0 192.0.1.0 198.17.0.1
            198.20.0.1 223.255.255.255 2606:4700::1111 2a00:1450:4001::1 2001:4860:4860::8888 2400:cb00::1";
        let special = "0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.255 169.254.169.254
            169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.170 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255
            198.51.100.1 203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
            :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 64:ff9b::7f00:1 64:ff9b:1::1 100::1 fc00::1 fd00:ec2::254 fe80::1
            fec0::1 ff02::1 2001::1 2001:db8::1 2002:7f00:1:: 3fff::1 5f00::1";
        for address in addresses(public)? {
            assert!(is_public(address), "{address}");
        }
        for address in addresses(special)? {
            assert!(!is_public(address), "{address}");
        }
        Ok(())
    }

    #[test]
    fn a_link_local_address_is_known_in_every_disguise() -> Result<(), AddrParseError> {
        let link = "169.254.169.254 169.254.170.2 ::ffff:169.254.169.254 ::169.254.169.254 64:ff9b::a9fe:a9fe
            2002:a9fe:a9fe:: fe80::1 fd00:ec2::254";
        for address in addresses(link)? {
            assert!(is_never_allowed(address), "{address}");
        }
        for address in addresses("10.0.0.1 127.0.0.1 ::1 fd00::1 8.8.8.8")? {
            assert!(!is_never_allowed(address), "{address}");
        }
        Ok(())
    }
}
