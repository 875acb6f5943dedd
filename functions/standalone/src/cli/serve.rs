//! The flags of `serve`.

use std::path::{Path, PathBuf};

use callboard_api::{HostName, Origin};
use callboard_policy::Issuer;
use clap::Args;

use super::amounts::{body_bytes, seconds};
use super::{Common, Isolated, Load, Playbooks};
use crate::http::Network;

/// The flags of `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// The address or name, and the port, to listen on
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "CALLBOARD_LISTEN",
        default_value = "127.0.0.1:8080"
    )]
    pub(crate) listen: String,
    /// A name that clients use for the service, besides localhost and loopback addresses, such as that of a proxy in front of it;
    /// may be repeated. Requests for other hosts are refused if the service listens on a loopback address, and
    /// otherwise as soon as a name is given
    #[arg(
        long = "allowed-host",
        value_name = "HOST",
        env = "CALLBOARD_ALLOWED_HOSTS",
        value_delimiter = ','
    )]
    pub(crate) allowed_hosts: Vec<HostName>,
    /// An origin, such as `https://jobs.example.com`, whose web pages may call the service, besides its own; may be repeated
    #[arg(
        long = "allowed-origin",
        value_name = "ORIGIN",
        env = "CALLBOARD_ALLOWED_ORIGINS",
        value_delimiter = ','
    )]
    pub(crate) allowed_origins: Vec<Origin>,
    #[command(flatten)]
    pub(crate) tls: TlsFiles,
    /// The address of a proxy in front of the service, or a network of proxies, such as 10.0.0.0/8; may be repeated. Who asks is then
    /// taken from their headers Forwarded or X-Forwarded-For. Everybody else's are ignored
    #[arg(
        long = "trusted-proxy",
        value_name = "ADDRESS|CIDR",
        env = "CALLBOARD_TRUSTED_PROXIES",
        value_delimiter = ','
    )]
    pub(crate) trusted_proxies: Vec<Network>,
    #[command(flatten)]
    pub(crate) oidc: OidcFlags,
    #[command(flatten)]
    pub(crate) playbooks: Playbooks,
    #[command(flatten)]
    pub(crate) load: Load,
    /// How long running jobs may continue after the service is told to stop, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds, env = "CALLBOARD_SHUTDOWN_GRACE", default_value_t = 30)]
    pub(crate) shutdown_grace: u64,
    /// The largest request body, in bytes or with a unit, such as 6MiB
    #[arg(long, value_name = "BYTES", value_parser = body_bytes, env = "CALLBOARD_MAX_BODY", default_value_t = 6 * 1024 * 1024)]
    pub(crate) max_body: usize,
    /// How many jobs may wait; further submissions are answered with 429
    #[arg(long, value_name = "N", env = "CALLBOARD_MAX_QUEUED", default_value_t = 10_000)]
    pub(crate) max_queued: u32,
    /// How long ?sync=true waits, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds, env = "CALLBOARD_SYNC_WAIT", default_value_t = 30)]
    pub(crate) sync_wait: u64,
    /// How long entries of the audit log are kept, in days
    #[arg(
        long,
        value_name = "DAYS",
        env = "CALLBOARD_AUDIT_RETENTION",
        default_value_t = 400,
        value_parser = clap::value_parser!(u32).range(1..=36_500)
    )]
    pub(crate) audit_retention: u32,
    #[command(flatten)]
    pub(crate) isolated: Isolated,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// An issuer of tokens that needs no policy: all of its flags, or none.
#[derive(Debug, Args)]
pub(crate) struct OidcFlags {
    /// The address of an issuer of OpenID Connect whose tokens are accepted, besides those of the policy
    #[arg(
        long = "oidc-issuer",
        value_name = "URL",
        env = "CALLBOARD_OIDC_ISSUER",
        requires_all = ["oidc_audience", "oidc_subject", "oidc_scopes"]
    )]
    pub(crate) oidc_issuer: Option<String>,
    /// Whom its tokens must be for, as in their claim aud
    #[arg(
        long = "oidc-audience",
        value_name = "TEXT",
        env = "CALLBOARD_OIDC_AUDIENCE",
        requires = "oidc_issuer"
    )]
    pub(crate) oidc_audience: Option<String>,
    /// Whose tokens are accepted: their claim sub, or a pattern of it, such as `repo:acme/web:**`
    #[arg(
        long = "oidc-subject",
        value_name = "PATTERN",
        env = "CALLBOARD_OIDC_SUBJECT",
        requires = "oidc_issuer"
    )]
    pub(crate) oidc_subject: Option<String>,
    /// What their holders may do in the tenant `default`, such as `jobs:read`; may be repeated, or have several, separated by spaces
    #[arg(
        long = "oidc-scope",
        value_name = "SCOPE",
        env = "CALLBOARD_OIDC_SCOPES",
        value_delimiter = ' ',
        requires = "oidc_issuer"
    )]
    pub(crate) oidc_scopes: Vec<String>,
}

impl OidcFlags {
    /// Returns the issuer, if there is one.
    pub(crate) fn issuer(&self) -> Option<Issuer> {
        Some(Issuer {
            issuer: self.oidc_issuer.clone()?,
            audience: self.oidc_audience.clone()?,
            subject: self.oidc_subject.clone()?,
            scopes: self.oidc_scopes.clone(),
        })
    }
}

/// The files of TLS: both, or neither.
#[derive(Debug, Args)]
pub(crate) struct TlsFiles {
    /// The certificate of the service and those that lead to its authority, in PEM format, for HTTPS instead of HTTP. It is read again
    /// when it changes
    #[arg(
        long = "tls-cert",
        value_name = "FILE",
        env = "CALLBOARD_TLS_CERT",
        requires = "tls_key"
    )]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key of that certificate, in PEM format, which nobody else may read
    #[arg(
        long = "tls-key",
        value_name = "FILE",
        env = "CALLBOARD_TLS_KEY",
        requires = "tls_cert"
    )]
    pub(crate) tls_key: Option<PathBuf>,
}

impl TlsFiles {
    /// Returns the files of the certificate and of its key.
    pub(crate) fn both(&self) -> Option<(&Path, &Path)> {
        self.tls_cert.as_deref().zip(self.tls_key.as_deref())
    }
}
