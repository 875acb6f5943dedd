//! A service that is asked by TLS.

mod certificates;
mod handshakes;

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::ensure;
use callboard_tests::Service;
use callboard_tests::raw::connect;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A certificate with its key, both in PEM format.
struct Pair {
    certificate: String,
    key: String,
}

/// The files that a service reads them from.
struct Files {
    folder: TempDir,
    certificate: PathBuf,
    key: PathBuf,
}

impl Pair {
    fn new() -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        Ok(Self {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        })
    }

    /// Returns a client that trusts this certificate alone.
    fn client(&self) -> anyhow::Result<reqwest::Client> {
        drop(ring::default_provider().install_default());
        let trusted = reqwest::Certificate::from_pem(self.certificate.as_bytes())?;
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([trusted]);
        Ok(client.build()?)
    }

    /// Connects as a client that trusts this certificate alone.
    async fn connect(
        &self,
        address: SocketAddr,
        version: &'static SupportedProtocolVersion,
        protocols: &[&str],
    ) -> anyhow::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.certificate.as_bytes())?)?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("localhost")?;
        Ok(connector.connect(name, connect(address).await?).await?)
    }
}

impl Files {
    fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (certificate, key) = (folder.path().join("service.crt"), folder.path().join("service.key"));
        Ok(Self {
            folder,
            certificate,
            key,
        })
    }

    fn of(pair: &Pair) -> anyhow::Result<Self> {
        let files = Self::new()?;
        files.put(&pair.certificate, &pair.key)?;
        Ok(files)
    }

    /// Replaces both files.
    fn put(&self, certificate: &str, key: &str) -> anyhow::Result<()> {
        self.replace(&self.certificate, certificate, 0o644)?;
        self.replace(&self.key, key, 0o600)
    }

    /// Replaces a file at once, as tools that renew certificates do.
    fn replace(&self, path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
        let new = self.folder.path().join("new");
        fs::write(&new, text)?;
        fs::set_permissions(&new, Permissions::from_mode(mode))?;
        Ok(fs::rename(new, path)?)
    }

    fn arguments(&self) -> [String; 4] {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        ["--tls-cert", &certificate.to_string(), "--tls-key", &key.to_string()].map(str::to_owned)
    }

    /// Starts a service with these files.
    fn start(&self) -> anyhow::Result<(Service, TempDir)> {
        Service::start(&self.arguments().each_ref().map(String::as_str))
    }
}

/// Asks whether the service lives.
async fn lives(client: &reqwest::Client, address: SocketAddr) -> anyhow::Result<()> {
    let answer = client.get(format!("https://{address}/health/live")).send().await?;
    ensure!(answer.status() == 200, "{answer:?}");
    Ok(())
}
