//! A proxy on loopback for programs that fetch by themselves, such as git: whatever they are told to fetch, they reach
//! only hosts that are allowed. It takes `CONNECT`, and `GET` and other methods with an absolute URL.

mod relay;

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use callboard_core::base::causes::causes;
use http::header::{PROXY_AUTHENTICATE, PROXY_AUTHORIZATION};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use url::Host;

use crate::error::FetchError;

/// The limit of connections: a program that fetches needs only a few, however many it is told to make.
const MAX_CONNECTIONS: usize = 64;
const MAX_NOTES: usize = 10;
const FAULT_PAUSE: Duration = Duration::from_millis(50);

type Body = BoxBody<Bytes, hyper::Error>;
type Permit = dyn Fn(&str, &str, u16) -> Result<Access, String> + Send + Sync;

/// The addresses with which a host may be reached. Link-local addresses are never allowed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Access {
    /// Any address.
    Any,
    /// Only public addresses; the text says how the others could be allowed.
    Public(String),
}

/// A running proxy. It serves only clients that know its secret, and ends with all its connections when dropped.
pub struct Egress {
    port: u16,
    secret: String,
    refusals: Notes,
    failures: Notes,
    serving: JoinHandle<()>,
}

impl Egress {
    /// Starts a proxy on a free port of this machine. `permit` is called with the user that the program has named, the
    /// host as in a URL, and the port; it refuses with a sentence. If this process's variables name a proxy, permitted
    /// requests go through it.
    ///
    /// # Errors
    /// The machine has no free port.
    pub async fn start(
        permit: impl Fn(&str, &str, u16) -> Result<Access, String> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::behind(Matcher::from_env(), Box::new(permit)).await
    }

    async fn behind(upstream: Matcher, permit: Box<Permit>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (port, secret) = (listener.local_addr()?.port(), uuid::Uuid::new_v4().simple().to_string());
        let (refusals, failures) = (Notes::default(), Notes::default());
        let gate = Arc::new(Gate {
            secret: secret.clone(),
            permit,
            upstream,
            refusals: refusals.clone(),
            failures: failures.clone(),
            tunnels: Mutex::default(),
        });
        Ok(Self {
            port,
            secret,
            refusals,
            failures,
            serving: tokio::spawn(serve(listener, gate)),
        })
    }

    /// Returns the proxy's address for a program, or a part of one, that is identified as `user`: a name of letters.
    #[must_use]
    pub fn address(&self, user: &str) -> String {
        format!("http://{user}:{}@127.0.0.1:{}", self.secret, self.port)
    }

    /// Returns the refusals, each one once, in the order in which they first occurred.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        self.refusals.all()
    }

    /// Returns why hosts could not be reached, likewise.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        self.failures.all()
    }
}

/// A few sentences, each one once. Clones share them.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn add(&self, why: &str) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < MAX_NOTES && !notes.iter().any(|known| known == why) {
            notes.push(why.to_owned());
        }
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Egress")
    }
}

impl Drop for Egress {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The state that all connections share.
struct Gate {
    secret: String,
    permit: Box<Permit>,
    upstream: Matcher,
    refusals: Notes,
    failures: Notes,
    /// The tasks that move bytes; they end with the gate.
    tunnels: Mutex<JoinSet<()>>,
}

/// Why a host is not reached.
enum Barred {
    /// The host is not allowed.
    Refused(String),
    /// The host cannot be reached.
    Unreachable(FetchError),
}

async fn serve(listener: TcpListener, gate: Arc<Gate>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => drop(connections.spawn(converse(stream, Arc::clone(&gate)))),
                Err(_) => tokio::time::sleep(FAULT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, gate: Arc<Gate>) {
    let answer = |request| {
        let gate = Arc::clone(&gate);
        async move { Ok::<_, Infallible>(gate.answer(request).await) }
    };
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
    // an error is not reported: a program that breaks off knows why
    drop(connection.with_upgrades().await);
}

impl Gate {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let Some(user) = self.user(request.headers()) else {
            let mut answer = told(
                StatusCode::PROXY_AUTHENTICATION_REQUIRED,
                "This proxy is for Callboard's own fetches.",
            );
            let scheme = http::HeaderValue::from_static("Basic realm=\"callboard\"");
            answer.headers_mut().insert(PROXY_AUTHENTICATE, scheme);
            return answer;
        };
        let Some((host, port)) = target(&request) else {
            return told(StatusCode::BAD_REQUEST, "Only http and https are spoken here.");
        };
        let reached = match self.judge(&user, &host, port).await {
            Ok(addresses) if request.method() == Method::CONNECT => self.tunnel(request, &host, port, &addresses).await,
            Ok(addresses) => self.forward(request, &addresses, port).await,
            Err(barred) => Err(barred),
        };
        match reached {
            Ok(answer) => answer,
            Err(Barred::Refused(why)) => {
                self.refusals.add(&why);
                told(StatusCode::FORBIDDEN, &why)
            }
            Err(Barred::Unreachable(error)) => {
                self.failures.add(&causes(&error).to_string());
                told(StatusCode::BAD_GATEWAY, &error.to_string())
            }
        }
    }

    /// Returns the user name of a request that has the secret.
    fn user(&self, headers: &HeaderMap) -> Option<String> {
        let given = headers
            .get(PROXY_AUTHORIZATION)?
            .to_str()
            .ok()?
            .strip_prefix("Basic ")?;
        let given = String::from_utf8(STANDARD.decode(given).ok()?).ok()?;
        let (user, secret) = given.split_once(':')?;
        (secret == self.secret).then(|| user.to_owned())
    }
}

/// Returns the host and the port that a request is for.
fn target<B>(request: &Request<B>) -> Option<(Host, u16)> {
    let (uri, connects) = (request.uri(), request.method() == Method::CONNECT);
    let own_port = match uri.scheme_str() {
        Some("http") if !connects => Some(80),
        None if connects => None,
        _ => return None,
    };
    let host = Host::parse(Uri::host(uri)?).ok()?;
    Some((host, uri.port_u16().or(own_port)?))
}

fn told(status: StatusCode, text: &str) -> Response<Body> {
    let body = Full::from(format!("{text}\n")).map_err(|never: Infallible| match never {});
    let mut answer = Response::new(body.boxed());
    *answer.status_mut() = status;
    answer
}

#[cfg(test)]
mod tests;
