//! Reaches allowed hosts: directly, or through the operator's proxy.

use std::net::{IpAddr, SocketAddr};
use std::sync::PoisonError;
use std::time::Duration;

use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderName, Request, Response, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::{Service, ServiceExt};
use url::Host;

use super::{Access, Barred, Body, Gate};
use crate::CONNECT_TIMEOUT;
use crate::error::FetchError;
use crate::guard::{judge, look_up};

/// How long the operator's proxy may take to reach a host.
const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(30);

impl Gate {
    /// Returns the addresses of a host that may be reached. If the operator's proxy looks up names, the list is empty
    /// for a name that this machine does not know.
    pub(super) async fn judge(&self, user: &str, host: &Host, port: u16) -> Result<Vec<IpAddr>, Barred> {
        let name = host.to_string();
        let access = (self.permit)(user, &name, port).map_err(Barred::Refused)?;
        let found = match look_up(host).await {
            Err(_) if self.upstream_of("https", &name, port).is_some() => return Ok(Vec::new()),
            found => found.map_err(Barred::Unreachable)?,
        };
        match (judge(&name, &found, access == Access::Any), access) {
            (Ok(()), _) => Ok(found),
            (Err(error @ FetchError::Private { .. }), Access::Public(advice)) => {
                Err(Barred::Refused(format!("{error}; {advice}")))
            }
            (Err(error), _) => Err(Barred::Refused(error.to_string())),
        }
    }

    /// Lets a program talk to a host over a connection of its own.
    pub(super) async fn tunnel(
        &self,
        request: Request<Incoming>,
        host: &Host,
        port: u16,
        addresses: &[IpAddr],
    ) -> Result<Response<Body>, Barred> {
        let mut far = match self.upstream_of("https", &host.to_string(), port) {
            Some(upstream) => through(&upstream, host, port).await,
            None => connect(&host.to_string(), addresses, port).await,
        }
        .map_err(Barred::Unreachable)?;
        self.spawn(async move {
            if let Ok(near) = hyper::upgrade::on(request).await {
                drop(copy_bidirectional(&mut TokioIo::new(near), &mut far).await);
            }
        });
        Ok(Response::new(Empty::new().map_err(|never| match never {}).boxed()))
    }

    /// Forwards a request, and returns its answer.
    pub(super) async fn forward(
        &self,
        mut request: Request<Incoming>,
        addresses: &[IpAddr],
        port: u16,
    ) -> Result<Response<Body>, Barred> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let unreachable = |error: hyper::Error| Barred::Unreachable(FetchError::unreachable(&host, error));
        let headers = request.headers_mut();
        headers.remove(PROXY_AUTHORIZATION);
        headers.remove(HeaderName::from_static("proxy-connection"));
        let far = match self.upstream_of("http", &host, port) {
            Some(upstream) => {
                if let Some(login) = upstream.basic_auth() {
                    headers.insert(PROXY_AUTHORIZATION, login.clone());
                }
                let (name, port) = (
                    upstream.uri().host().unwrap_or_default(),
                    upstream.uri().port_u16().unwrap_or(80),
                );
                TcpStream::connect((name, port))
                    .await
                    .map_err(|error| FetchError::unreachable(name, error))
            }
            None => {
                let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
                let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse();
                if let (Ok(path), Ok(authority)) = (path, authority.parse()) {
                    *request.uri_mut() = path;
                    request.headers_mut().insert(HOST, authority);
                }
                connect(&host, addresses, port).await
            }
        };
        let far = TokioIo::new(far.map_err(Barred::Unreachable)?);
        let (mut sender, connection) = http1::handshake(far).await.map_err(unreachable)?;
        self.spawn(async move { drop(connection.await) });
        let answer = sender.send_request(request).await.map_err(unreachable)?;
        Ok(answer.map(BodyExt::boxed))
    }

    fn upstream_of(&self, scheme: &str, host: &str, port: u16) -> Option<Intercept> {
        let uri: Uri = format!("{scheme}://{host}:{port}/").parse().ok()?;
        self.upstream.intercept(&uri)
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut tunnels = self.tunnels.lock().unwrap_or_else(PoisonError::into_inner);
        while tunnels.try_join_next().is_some() {}
        tunnels.spawn(work);
    }
}

async fn connect(host: &str, addresses: &[IpAddr], port: u16) -> Result<TcpStream, FetchError> {
    let mut last = None;
    for &address in addresses {
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(SocketAddr::new(address, port))).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = Some(FetchError::unreachable(host, error)),
            Err(_) => last = Some(FetchError::TooSlow { host: host.to_owned() }),
        }
    }
    Err(last.unwrap_or_else(|| FetchError::unreachable(host, "it has no address")))
}

/// Makes the operator's proxy connect to a host.
async fn through(upstream: &Intercept, host: &Host, port: u16) -> Result<TcpStream, FetchError> {
    let name = host.to_string();
    let uri = format!("https://{host}:{port}")
        .parse()
        .map_err(|_| FetchError::Address)?;
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let mut tunnel = Tunnel::new(upstream.uri().clone(), connector);
    if let Some(login) = upstream.basic_auth() {
        tunnel = tunnel.with_auth(login.clone());
    }
    let made = async { tunnel.ready().await?.call(uri).await };
    let made = timeout(UPSTREAM_TIMEOUT, made).await;
    let made = made.map_err(|_| FetchError::TooSlow { host: name.clone() })?;
    made.map(TokioIo::into_inner)
        .map_err(|error| FetchError::unreachable(&name, error))
}
