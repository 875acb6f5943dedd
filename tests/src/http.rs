//! The HTTP client of the tests.

/// Makes a client that reaches the servers of the tests directly.
///
/// reqwest is built with TLS, but without a provider of cryptography, as the product's crates have it; so one is named.
#[must_use]
pub fn client() -> reqwest::Client {
    // an error means that there is one already
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().no_proxy().build().unwrap_or_default()
}
