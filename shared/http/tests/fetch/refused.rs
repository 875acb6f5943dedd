//! Addresses that a request must not make a worker connect to.

use std::io::ErrorKind;
use std::net::TcpListener;

use callboard_http::{Client, Guard, get};
use http::{HeaderMap, Request};

use crate::{LIMITS, refusal};

/// Hosts of this machine in many a spelling; each would be connected to if it were not refused.
const LOCAL: [&str; 15] = [
    "127.0.0.1",
    "127.1",
    "127.0.0.1.",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0",
    "localhost",
    "LOCALHOST",
    "%31%32%37.0.0.1",
    "①②⑦.0.0.1",
];
const LOCAL_V6: [&str; 4] = ["[::1]", "[::]", "[::ffff:127.0.0.1]", "[0:0:0:0:0:ffff:7f00:1]"];
const ELSEWHERE: [&str; 8] = [
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "198.51.100.1",
    "224.0.0.1",
];

const PRIVATE: &str = " has an address that is not public";
const NEVER: &str = " has an address that is never allowed: a link-local or metadata address, where clouds serve a machine's \
                         identity";

fn listeners() -> std::io::Result<(u16, Vec<TcpListener>)> {
    let first = TcpListener::bind("127.0.0.1:0")?;
    let port = first.local_addr()?.port();
    let second = TcpListener::bind(("::1", port)).ok();
    Ok((port, [first].into_iter().chain(second).collect()))
}

#[tokio::test]
async fn private_addresses_are_refused_in_every_spelling_and_nothing_is_connected_to() -> anyhow::Result<()> {
    let (port, listeners) = listeners()?;
    for host in LOCAL.iter().chain(&LOCAL_V6).chain(&ELSEWHERE) {
        let url = format!("http://{host}:{port}/");
        let refused = refusal(get(&url, &HeaderMap::new(), LIMITS, &Guard::public()).await);
        assert!(refused.ends_with(PRIVATE), "{url}: {refused}");
    }
    for listener in listeners {
        listener.set_nonblocking(true)?;
        let nobody = listener.accept().err().map(|error| error.kind());
        assert_eq!(nobody, Some(ErrorKind::WouldBlock));
    }
    Ok(())
}

#[tokio::test]
async fn a_link_local_address_is_refused_even_where_private_ones_are_allowed() -> anyhow::Result<()> {
    let guard = Guard::allowing(|_host| true);
    let client = Client::new(LIMITS)?;
    for host in [
        "169.254.169.254",
        "169.254.170.2",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "2852039166",
    ] {
        let url = format!("http://{host}/latest/meta-data/");
        let refused = refusal(get(&url, &HeaderMap::new(), LIMITS, &guard).await);
        assert!(refused.ends_with(NEVER), "{url}: {refused}");
        let refused = refusal(client.send(Request::get(&url).body(Vec::new())?).await);
        assert!(refused.ends_with(NEVER), "{url}: {refused}");
    }
    Ok(())
}

#[tokio::test]
async fn the_guard_is_asked_for_the_host_as_it_is_and_not_for_what_it_leads_to() -> anyhow::Result<()> {
    let guard = Guard::allowing(|host| host == "127.0.0.1");
    let refused = refusal(get("http://localhost:1/", &HeaderMap::new(), LIMITS, &guard).await);
    assert_eq!(refused, "localhost has an address that is not public");
    let refused = refusal(get("http://0x7f.1:1/", &HeaderMap::new(), LIMITS, &guard).await);
    assert_eq!(refused, "127.0.0.1 cannot be reached");
    Ok(())
}

#[tokio::test]
async fn only_http_without_a_password_is_spoken() -> anyhow::Result<()> {
    for url in [
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com/",
        "data:text/plain,x",
        "http://",
        "http://user@example.com/",
        "https://user:password@example.com/",
        "//example.com/",
        "example.com",
        "",
    ] {
        let refused = refusal(get(url, &HeaderMap::new(), LIMITS, &Guard::public()).await);
        assert!(
            refused.starts_with("the address must be one of http"),
            "{url}: {refused}"
        );
    }
    Ok(())
}
