//! The HTTP client of the tests.

/// Makes a client that connects to the tests' servers directly, without a proxy.
///
/// reqwest is built with TLS but without a crypto provider, as in the product's crates, so this installs one.
#[must_use]
pub fn client() -> reqwest::Client {
    // an error means that a provider is already installed
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().no_proxy().build().unwrap_or_default()
}
