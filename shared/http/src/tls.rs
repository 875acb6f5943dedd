//! TLS: rustls over ring, with the certificates that the system trusts.

use std::sync::{Arc, OnceLock};

use rustls::crypto::ring;
use rustls::{ClientConfig, Error, RootCertStore};

/// Returns the configuration for all clients. `SSL_CERT_FILE` and `SSL_CERT_DIR` are read at the first call.
pub(crate) fn config() -> Result<ClientConfig, Error> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| Arc::new(roots()));
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(Arc::clone(roots)).with_no_client_auth())
}

/// Loads the system's certificates. A machine without certificates trusts no server; the error appears when it connects.
fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
