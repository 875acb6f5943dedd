//! Servers that answer as a test wants, and keep what they saw.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::serve::Listener;
use http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;

/// An answer: status, headers, body.
pub type Given<'a> = (u16, &'a [(&'static str, &'a str)], &'a str);
type Kept = (u16, Vec<(&'static str, String)>, String);

/// The header of answers that are JSON.
pub const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// A request that a server saw.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path and the query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Seen {
    /// Returns a header, or an empty text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Returns all of it as a text.
    #[must_use]
    pub fn text(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        format!("{} {} {:?} {body}", self.method, self.path, self.headers)
    }
}

/// A server that answers each request with the next of its answers, then with the last of them again; with none at all, it never
/// answers.
#[derive(Clone, Default)]
pub struct Server {
    answers: Arc<Vec<Kept>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Starts a server on 127.0.0.1; returns it with its address, as in a URL.
    ///
    /// # Errors
    /// It cannot listen.
    pub async fn start(answers: &[Given<'_>]) -> anyhow::Result<(Self, String)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        Ok((Self::on(listener, answers), address))
    }

    /// Starts a server on a listener.
    pub fn on<L>(listener: L, answers: &[Given<'_>]) -> Self
    where
        L: Listener,
        L::Addr: std::fmt::Debug,
    {
        let owned = answers.iter().map(|(status, headers, body)| {
            let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
            (*status, headers.collect(), (*body).to_owned())
        });
        let server = Self {
            answers: Arc::new(owned.collect()),
            seen: Arc::default(),
        };
        let router = Router::new().fallback(any(answer)).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    /// Returns how many requests there were.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.list().len()
    }

    /// Returns the requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        self.list().clone()
    }

    /// Returns the requests so far as texts.
    #[must_use]
    pub fn seen(&self) -> Vec<String> {
        self.list().iter().map(Seen::text).collect()
    }

    fn list(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let seen = Seen {
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        headers: parts.headers,
        body: axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default(),
    };
    let number = {
        let mut list = server.list();
        list.push(seen);
        list.len() - 1
    };
    let last = server.answers.len().saturating_sub(1);
    let Some((status, headers, body)) = server.answers.get(number.min(last)).cloned() else {
        std::future::pending::<()>().await;
        return StatusCode::OK.into_response();
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
