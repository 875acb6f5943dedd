//! Certificates with which a client shows a server who it is.

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use serde::{Deserialize, Serialize};

use crate::base::secret::Secret;
use crate::base::time::Timestamp;

/// A certificate and its private key, which TLS shows to a server.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ClientCertificate {
    /// The client's certificate and those that lead to its authority, in PEM format.
    pub certificate: String,
    /// The key of the first of them, in PEM format.
    pub private_key: Secret,
    /// The hosts that the certificate may be shown to; if empty, any host that an operator has registered.
    #[serde(default)]
    pub hosts: Vec<String>,
}

/// What is wrong with a client certificate.
#[derive(Debug, thiserror::Error)]
#[error("{field} {detail}")]
pub struct UnfitCertificate {
    /// The field that it is about: `certificate` or `private_key`.
    pub field: &'static str,
    /// The end of a sentence; never holds the key.
    pub detail: String,
}

impl ClientCertificate {
    /// Checks that TLS can show it: that certificate and key can be read and belong together, and that the certificate has not
    /// expired.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self, now: Timestamp) -> Result<(), UnfitCertificate> {
        let (chain, key) = self.der()?;
        let end = expiry(&chain[0]).ok_or_else(|| unfit("certificate", NO_CERTIFICATE))?;
        if end < now {
            return Err(unfit("certificate", format!("expired at {end}; issue a new one")));
        }
        match CertifiedKey::from_der(chain, key, &ring::default_provider()) {
            Ok(_) => Ok(()),
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(unfit("private_key", "is not the key of the (first) certificate"))
            }
            Err(Error::InvalidCertificate(_)) => Err(unfit("certificate", NO_CERTIFICATE)),
            Err(_) => Err(unfit("private_key", NO_KEY)),
        }
    }

    /// Returns the certificates, of which there is at least one, and the key, as TLS takes them.
    ///
    /// # Errors
    /// One of the two cannot be read.
    pub fn der(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), UnfitCertificate> {
        if self.certificate.contains("PRIVATE KEY") {
            return Err(unfit(
                "certificate",
                "must not hold a private key, which is a field of its own",
            ));
        }
        let chain = CertificateDer::pem_slice_iter(self.certificate.as_bytes()).collect::<Result<Vec<_>, _>>();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| unfit("certificate", NO_CERTIFICATE))?;
        let key = PrivateKeyDer::from_pem_slice(self.private_key.expose().as_bytes());
        Ok((chain, key.map_err(|_| unfit("private_key", NO_KEY))?))
    }
}

const NO_CERTIFICATE: &str = "must be certificates in PEM format, the client's own first: -----BEGIN CERTIFICATE-----";
const NO_KEY: &str = "must be a private key in PEM format that is not encrypted: RSA of 2048 bits or more, ECDSA (P-256, P-384) or \
                      Ed25519";

fn unfit(field: &'static str, detail: impl Into<String>) -> UnfitCertificate {
    let detail = detail.into();
    UnfitCertificate { field, detail }
}

/// Returns when a certificate ends.
fn expiry(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, read) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(Timestamp::from_millis(
        read.validity().not_after.timestamp().saturating_mul(1000),
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::base::fields::{Faults, FieldError};
    use crate::base::time::{Clock, SystemClock};
    use crate::credential::Credential;

    /// Makes a certificate with its key, which ends 20 years after the epoch or later.
    fn made(years: i32) -> Result<(String, String), rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec!["client.example.com".to_owned()])?;
        params.not_after = rcgen::date_time_ymd(1970 + years, 1, 1);
        Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
    }

    fn parse(certificate: &str, key: &str) -> Vec<FieldError> {
        let body = serde_json::json!({"kind": "client_certificate", "certificate": certificate, "private_key": key});
        let mut faults = Faults::default();
        let read = Credential::parse(&body, &mut faults);
        assert!(!format!("{read:?}").contains("PRIVATE KEY"), "the key is shown");
        faults.into_inner()
    }

    #[test]
    fn what_tls_could_not_show_is_refused_with_its_reason() -> Result<(), rcgen::Error> {
        let (certificate, key) = made(180)?;
        assert_eq!(parse(&format!("{certificate}{certificate}"), &key), []);
        let (expired, of_expired) = made(20)?;
        let (_, other) = made(180)?;
        let broken = certificate.replacen("MII", "AAA", 1);
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let both = format!("{certificate}{key}");
        for (certificate, key, pointer, told) in [
            (&expired, &of_expired, "/certificate", "expired at 1990-01-01T00:00:00"),
            (&certificate, &other, "/private_key", "is not the key of the"),
            (&broken, &key, "/certificate", "must be certificates in PEM format"),
            (&key, &key, "/certificate", "must not hold a private key"),
            (&both, &key, "/certificate", "must not hold a private key"),
            (&certificate, &encrypted, "/private_key", "not encrypted"),
            (&certificate, &certificate, "/private_key", "must be a private key"),
        ] {
            let faults = parse(certificate, key);
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(
                faults[0].pointer == pointer && faults[0].detail.contains(told),
                "{faults:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn a_certificate_that_has_expired_since_is_told() -> Result<(), rcgen::Error> {
        let (certificate, key) = made(180)?;
        let client = ClientCertificate {
            certificate,
            private_key: Secret::new(key),
            hosts: Vec::new(),
        };
        let later = SystemClock.now() + Duration::from_secs(200 * 366 * 24 * 3600);
        assert!(client.check(SystemClock.now()).is_ok());
        assert!(client.check(later).is_err());
        Ok(())
    }
}
