//! The HTTP client for what requests make a worker fetch.
//!
//! [`get`] is for addresses that a request names: it reaches only the public internet and the hosts that a [`Guard`]
//! allows, and sends its headers to no other host. [`Client`] is for addresses that an operator or the owner of a
//! credential has set, such as HashiCorp Vault's. [`Egress`] is for programs that fetch by themselves: a proxy that
//! applies the same limits.

mod body;
mod call;
mod client;
mod egress;
mod error;
mod fetch;
mod guard;
mod keep;
mod redirect;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use callboard_core::base::store_error::BoxError;
use callboard_core::credential::ClientCertificate;
use reqwest::dns::Resolve;
use reqwest::redirect::Policy;

pub use call::{Answer, CallError, Caller};
pub use client::Client;
pub use egress::{Access, Egress};
pub use error::FetchError;
pub use fetch::get;
pub use guard::Guard;
pub use keep::Kept;

const USER_AGENT: &str = concat!("callboard/", env!("CARGO_PKG_VERSION"));
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How much a server may send, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The bytes of an answer's body.
    pub max_bytes: usize,
    /// The time from the first look-up of a name to the last byte.
    pub timeout: Duration,
}

/// Makes a client that goes nowhere by itself. `timeout` covers a call with its whole answer.
fn client(
    resolver: impl Resolve + 'static,
    connect_timeout: Duration,
    timeout: Option<Duration>,
) -> Result<reqwest::Client, FetchError> {
    client_with(resolver, connect_timeout, timeout, None)
}

/// Makes such a client that shows a certificate.
fn client_with(
    resolver: impl Resolve + 'static,
    connect_timeout: Duration,
    timeout: Option<Duration>,
    shown: Option<&ClientCertificate>,
) -> Result<reqwest::Client, FetchError> {
    let unmade = |source: BoxError| FetchError::Client { source };
    let mut client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls::config(shown).map_err(unmade)?)
        .dns_resolver(Arc::new(resolver))
        .redirect(Policy::none())
        .no_proxy()
        .no_gzip()
        .user_agent(USER_AGENT)
        .connect_timeout(connect_timeout);
    if let Some(timeout) = timeout {
        client = client.timeout(timeout);
    }
    client.build().map_err(|error| unmade(error.into()))
}
