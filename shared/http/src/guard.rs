//! Decides which hosts may have which addresses, before the first connection is made.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use callboard_core::base::address::{is_never_allowed, is_public};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use url::{Host, Url};

use crate::error::FetchError;

/// Decides by its name whether a host may have a private address. Link-local addresses, where clouds serve the
/// machine's own credentials, are never allowed.
pub struct Guard {
    private: Box<dyn Fn(&str) -> bool + Send + Sync>,
    /// Whether this is for the machine's own credentials.
    metadata: bool,
}

impl Guard {
    /// Allows public addresses only.
    #[must_use]
    pub fn public() -> Self {
        Self::allowing(|_host| false)
    }

    /// Allows private addresses for the hosts that `allows` accepts. It gets the host as in a URL: in lower case, an
    /// IPv6 address in brackets.
    #[must_use]
    pub fn allowing(allows: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self {
            private: Box::new(allows),
            metadata: false,
        }
    }

    /// Allows every address, for the metadata server alone: nothing that a request names.
    pub(crate) fn metadata() -> Self {
        Self {
            metadata: true,
            ..Self::allowing(|_host| true)
        }
    }

    /// Looks up a URL's host once, and returns its addresses if every one of them may be connected to.
    pub(crate) async fn addresses(&self, url: &Url) -> Result<Pinned, FetchError> {
        let (host, text) = url.host().zip(url.host_str()).ok_or(FetchError::Address)?;
        let found = look_up(&host).await?;
        if !self.metadata {
            judge(text, &found, (self.private)(text))?;
        }
        Ok(Pinned(found))
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}

/// Checks whether a host with these addresses may be connected to; `private` says whether it may have private ones.
pub(crate) fn judge(host: &str, found: &[IpAddr], private: bool) -> Result<(), FetchError> {
    let host = || host.to_owned();
    if found.iter().any(|&address| is_never_allowed(address)) {
        return Err(FetchError::NeverAllowed { host: host() });
    }
    if !private && !found.iter().all(|&address| is_public(address)) {
        return Err(FetchError::Private { host: host() });
    }
    Ok(())
}

/// Returns the addresses of a host.
pub(crate) async fn look_up<S: AsRef<str>>(host: &Host<S>) -> Result<Vec<IpAddr>, FetchError> {
    match host {
        Host::Ipv4(address) => Ok(vec![(*address).into()]),
        Host::Ipv6(address) => Ok(vec![(*address).into()]),
        Host::Domain(name) => {
            let name = name.as_ref();
            let found = lookup_host((name, 0)).await;
            let found = found.map_err(|error| FetchError::unreachable(name, error))?;
            Ok(found.map(|address| address.ip()).collect())
        }
    }
}

/// The addresses that were checked; a client that uses them as its resolver connects to no others.
pub(crate) struct Pinned(Vec<IpAddr>);

impl Resolve for Pinned {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses: Vec<_> = self.0.iter().map(|&address| SocketAddr::new(address, 0)).collect();
        Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
    }
}

/// Looks up every name again, through a guard; for clients that connect to several hosts.
pub(crate) struct Guarded(pub(crate) Arc<Guard>);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let url = Url::parse(&format!("http://{}", name.as_str()))?;
            let Pinned(found) = guard.addresses(&url).await?;
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}
