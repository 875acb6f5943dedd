//! Ports for programs that cannot choose a free one themselves.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::Context;

/// The first port. The range is below the ports that systems assign automatically, so no other program is assigned one in the meantime.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;
/// How far apart processes with neighbouring ids begin: further than one test asks for.
const APART: u32 = 101;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// Returns an address of this machine that nothing listens on and that was not returned before.
pub(super) fn free() -> anyhow::Result<String> {
    let start = u16::try_from(std::process::id().wrapping_mul(APART) % u32::from(COUNT))?;
    (0..COUNT)
        .map(|_| {
            let number = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
            let port = FIRST + (start + number) % COUNT;
            format!("127.0.0.1:{port}")
        })
        .find(|address| TcpListener::bind(address).is_ok())
        .context("no port is free")
}
