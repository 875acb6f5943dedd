//! A server of the test's own: it answers by itself or passes on, and keeps what it was asked.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::servers::client;

/// What the server was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

type Answer = (u16, String);
type Decide = dyn Fn(&Asked, usize) -> Option<Answer> + Send + Sync;

/// A server on 127.0.0.1; it ends when dropped.
pub(crate) struct Proxy {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts a server. `decide` answers what it is asked, with how often it was asked before; what it does not answer goes
    /// to `target`.
    pub(crate) async fn start(
        target: &str,
        decide: impl Fn(&Asked, usize) -> Option<Answer> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (seen, target, decide) = (
            Arc::clone(&asked),
            target.to_owned(),
            Arc::<Box<Decide>>::new(Box::new(decide)),
        );
        let router = Router::new().fallback(move |request: Request<Body>| {
            let (seen, target, decide) = (Arc::clone(&seen), target.clone(), Arc::clone(&decide));
            async move {
                answer(request, &seen, &target, &**decide)
                    .await
                    .unwrap_or_else(|error| broken(&error))
            }
        });
        let task = tokio::spawn(async move {
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self { url, asked, task })
    }

    /// Returns what was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    request: Request<Body>,
    seen: &Mutex<Vec<Asked>>,
    target: &str,
    decide: &Decide,
) -> anyhow::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let asked = Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        headers: parts.headers.clone(),
        body: to_bytes(body, 1024 * 1024).await?.to_vec(),
    };
    let before = {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(asked.clone());
        seen.len() - 1
    };
    if let Some((status, body)) = decide(&asked, before) {
        return Ok(Response::builder().status(status).body(Body::from(body))?);
    }
    let mut onward = Request::builder()
        .method(parts.method)
        .uri(format!("{target}{}", parts.uri));
    for (name, value) in parts.headers.iter().filter(|(name, _)| name.as_str() != "host") {
        onward = onward.header(name, value);
    }
    let answer = client()?.send(onward.body(asked.body)?).await?;
    let status = answer.status();
    Ok(Response::builder()
        .status(status)
        .body(Body::from(answer.into_body()))?)
}

fn broken(error: &anyhow::Error) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{error:#}")));
    *response.status_mut() = StatusCode::IM_A_TEAPOT;
    response
}
