//! TLS for the servers of tests, under an authority of their own.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::{env, fs, io};

use anyhow::{Context, ensure};
use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The file of the authority's key, in the process that trusts it.
const KEY: &str = "CALLBOARD_TEST_AUTHORITY";

/// An authority that issues certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, both in PEM format.
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl Authority {
    /// Makes an authority.
    ///
    /// # Errors
    /// No key can be made.
    pub fn new() -> anyhow::Result<Self> {
        Self::with(KeyPair::generate()?)
    }

    fn with(key: KeyPair) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "the authority of a test");
        Ok(Self(CertifiedIssuer::self_signed(params, key)?))
    }

    /// Returns its own certificate, by which it is trusted, in PEM format.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Issues a certificate for a server or a client with a name or address.
    ///
    /// # Errors
    /// The name is none.
    pub fn issue(&self, name: &str) -> anyhow::Result<Issued> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        Ok(Issued {
            certificate: params.signed_by(&key, &self.0)?.pem(),
            key: key.serialize_pem(),
        })
    }

    /// Listens on 127.0.0.1, for TLS. Clients must show a certificate that `clients` has issued, if that is given.
    ///
    /// # Errors
    /// It cannot listen.
    pub async fn listen(&self, clients: Option<&Self>) -> anyhow::Result<TlsListener> {
        let issued = self.issue("127.0.0.1")?;
        let chain = vec![CertificateDer::from_pem_slice(issued.certificate.as_bytes())?];
        let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes())?;
        let provider = Arc::new(ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.0.der().clone())?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        Ok(TlsListener {
            tcp: TcpListener::bind("127.0.0.1:0").await?,
            tls: TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key)?)),
        })
    }
}

/// A listener for TLS; a connection whose handshake fails is dropped.
pub struct TlsListener {
    tcp: TcpListener,
    tls: TlsAcceptor,
}

impl TlsListener {
    /// Returns its address, as in a URL.
    ///
    /// # Errors
    /// It has none.
    pub fn address(&self) -> io::Result<String> {
        Ok(self.tcp.local_addr()?.to_string())
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.tcp).await;
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

/// Returns an authority that this process trusts. Which authorities a process trusts is decided when it starts, so the test that
/// calls this is run once more, by its full name, in a process of its own; the first process gets `None` after that has passed.
///
/// # Errors
/// The test fails in that process.
pub fn in_a_process_that_trusts(test: &str) -> anyhow::Result<Option<Authority>> {
    if let Some(file) = env::var_os(KEY) {
        return Ok(Some(Authority::with(KeyPair::from_pem(&fs::read_to_string(file)?)?)?));
    }
    let (folder, authority) = (tempfile::tempdir()?, Authority::new()?);
    let (key, certificate) = (folder.path().join("ca.key"), folder.path().join("ca.crt"));
    fs::write(&key, authority.0.key().serialize_pem())?;
    fs::write(&certificate, authority.pem())?;
    let run = Command::new(env::current_exe()?)
        .args([test, "--exact", "--nocapture"])
        .env(KEY, key)
        .env("SSL_CERT_FILE", certificate)
        .stdin(Stdio::null())
        .output()?;
    let told = [run.stdout, run.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    ensure!(run.status.success(), "{told}");
    // a name that is wrong would run nothing, successfully
    told.contains("1 passed")
        .then_some(())
        .with_context(|| format!("{test} was not run: {told}"))?;
    Ok(None)
}
