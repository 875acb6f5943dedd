//! TLS: the certificate and its key, which are read again when their files change.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{Error, InconsistentKeys, ServerConfig};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// No certificate, chain or key is larger, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// What others than the key's owner may do with its file: nothing.
const OTHERS: u32 = 0o077;
/// The same for a file of root: a group may read it, so that a service that does not run as root can.
const OTHERS_OF_ROOT: u32 = 0o037;

/// A certificate and its key, with the files that they come from.
pub(crate) struct Tls {
    files: Files,
    seen: [Option<Stamp>; 2],
    in_force: watch::Sender<TlsAcceptor>,
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What tells that a file has changed: its number, its length in bytes, and when its content and its permissions were changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stamp {
    number: u64,
    length: u64,
    content: (i64, i64),
    status: (i64, i64),
}

impl Tls {
    /// Reads the certificates, the service's own first, and the key of that one.
    ///
    /// # Errors
    /// A file cannot be used, or the two do not belong together; the error names the file.
    pub(crate) fn open(certificate: &Path, key: &Path) -> anyhow::Result<Self> {
        let files = Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        };
        // before the files are read: what changes meanwhile is read again
        let seen = files.stamps();
        let (in_force, _) = watch::channel(files.read()?);
        Ok(Self { files, seen, in_force })
    }

    /// Returns the certificate in force, as new connections need it.
    pub(super) fn in_force(&self) -> watch::Receiver<TlsAcceptor> {
        self.in_force.subscribe()
    }

    /// Looks at the files from time to time, for ever.
    pub(super) async fn keep_fresh(mut self) {
        loop {
            sleep(LOOK_EVERY).await;
            let looked = spawn_blocking(move || {
                self.refresh();
                self
            });
            match looked.await {
                Ok(tls) => self = tls,
                Err(_) => return,
            }
        }
    }

    /// Reads the files again, if they have changed. Where they cannot be used, the certificate in force stays.
    fn refresh(&mut self) {
        let found = self.files.stamps();
        if found == self.seen {
            return;
        }
        self.seen = found;
        match self.files.read() {
            Ok(acceptor) => {
                self.in_force.send_replace(acceptor);
                tracing::info!("the certificate was read again; new connections get it");
            }
            Err(error) => tracing::error!(
                error = format!("{error:#}"),
                "the certificate cannot be used; the one in force stays"
            ),
        }
    }
}

impl Files {
    fn stamps(&self) -> [Option<Stamp>; 2] {
        [&self.certificate, &self.key].map(|path| fs::metadata(path).ok().map(|found| Stamp::of(&found)))
    }

    fn read(&self) -> anyhow::Result<TlsAcceptor> {
        let (chain, key) = (self.chain()?, self.key()?);
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| self.unfit(&error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn chain(&self) -> anyhow::Result<Vec<CertificateDer<'static>>> {
        let path = self.certificate.display();
        let (_, text) = read(&self.certificate).with_context(|| format!("the certificate {path} cannot be read"))?;
        let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        match chain {
            Ok(chain) if !chain.is_empty() => Ok(chain),
            _ => bail!(
                "the certificate {path} must be certificates in PEM format, the service's own first: -----BEGIN CERTIFICATE-----"
            ),
        }
    }

    fn key(&self) -> anyhow::Result<PrivateKeyDer<'static>> {
        let path = self.key.display();
        let (found, text) = read(&self.key).with_context(|| format!("the key {path} cannot be read"))?;
        let others = match found.uid() == 0 && !rustix::process::geteuid().is_root() {
            true => OTHERS_OF_ROOT,
            false => OTHERS,
        };
        let mode = found.mode() & 0o777;
        ensure!(
            mode & others == 0,
            "others can read the key {path} (mode {mode:03o}); mend it with\n  chmod 600 {path}"
        );
        // what the library says of a faulty file may quote it
        PrivateKeyDer::from_pem_slice(&text).map_err(|_| self.no_key())
    }

    fn unfit(&self, error: &Error) -> anyhow::Error {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                anyhow!("the key {key} is not the key of the (first) certificate in {certificate}")
            }
            Error::InvalidCertificate(_) => anyhow!("the certificate {certificate} is damaged"),
            _ => self.no_key(),
        }
    }

    fn no_key(&self) -> anyhow::Error {
        anyhow!(
            "the key {} must be a private key in PEM format that is not encrypted: RSA of 2048 bits or more, ECDSA (P-256, P-384) or \
             Ed25519",
            self.key.display()
        )
    }
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self {
            number: found.ino(),
            length: found.len(),
            content: (found.mtime(), found.mtime_nsec()),
            status: (found.ctime(), found.ctime_nsec()),
        }
    }
}

fn read(path: &Path) -> anyhow::Result<(Metadata, Vec<u8>)> {
    let found = fs::metadata(path)?;
    ensure!(found.is_file(), "it is no file");
    ensure!(found.len() <= MAX_BYTES, "it is larger than {MAX_BYTES} bytes");
    Ok((found, fs::read(path)?))
}
