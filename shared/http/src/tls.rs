//! TLS: rustls over ring, with the certificates that the system trusts.

use std::sync::{Arc, OnceLock};

use callboard_core::base::store_error::BoxError;
use callboard_core::credential::ClientCertificate;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// Returns the configuration for clients, which show a server that asks for it the certificate that is given. `SSL_CERT_FILE` and
/// `SSL_CERT_DIR` are read at the first call.
pub(crate) fn config(shown: Option<&ClientCertificate>) -> Result<ClientConfig, BoxError> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| Arc::new(roots()));
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(Arc::clone(roots));
    let Some(shown) = shown else {
        return Ok(builder.with_no_client_auth());
    };
    let (chain, key) = shown.der()?;
    Ok(builder.with_client_auth_cert(chain, key)?)
}

/// Loads the system's certificates. A machine without certificates trusts no server; the error appears when it connects.
fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
