//! Shared test support: starts the real program as a user would, and offers a client for its API. What needs no program is in
//! `callboard_testkit`.

pub mod aws;
pub mod client;
pub mod daemon;
pub mod data;
pub mod events;
pub mod issuer;
pub mod kinds;
pub mod log;
pub mod program;
pub mod raw;
pub mod servers;
pub mod service;
pub mod site;
pub mod sse;
pub mod stock;
pub mod text;

pub use callboard_testkit::{contract, faults, http, processes, wait};
pub use client::Client;
pub use program::{Finished, callboard};
pub use servers::{Part, Servers};
pub use service::Service;
pub use site::{Played, Site};
pub use stock::Stock;

/// The folder of playbooks that the tests run.
#[must_use]
pub fn playbooks() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks")
}
