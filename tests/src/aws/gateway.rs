//! Plays API Gateway's HTTP API: finds a request's route in the template, makes an event in payload format 2.0, invokes
//! the route's function, and turns its answer into a response.

mod event;
mod response;
mod routes;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::routes::Routes;
use super::lambda::Pool;
use super::template::Template;
use crate::client::Client;

/// API Gateway's limit for the size of a request's body.
const MAX_BODY: usize = 10 * 1024 * 1024;
/// Lambda's limit for the size of an event or an answer: slightly more than 6 MB.
const MAX_PAYLOAD: usize = 6_291_556;
/// API Gateway's limit for how long a function may take.
const MAX_TIME: Duration = Duration::from_secs(30);

/// The HTTP API, which stops when dropped.
pub struct Gateway {
    address: SocketAddr,
    task: JoinHandle<std::io::Result<()>>,
}

struct Api {
    routes: Routes,
    submit: Pool,
    query: Pool,
}

impl Gateway {
    /// Starts to listen on a free port.
    ///
    /// # Errors
    /// The template has no routes, or it sends one to an unknown function.
    pub async fn start(template: &Template, submit: Pool, query: Pool) -> anyhow::Result<Self> {
        let routes = Routes::read(template)?;
        let api = Arc::new(Api { routes, submit, query });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(handle).with_state(api);
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let task = tokio::spawn(async move { axum::serve(listener, service).await });
        Ok(Self { address, task })
    }

    /// Returns a client of the API.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(format!("http://{}", self.address))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn handle(State(api): State<Arc<Api>>, ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return response::of_gateway(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    };
    let Some(found) = api.routes.find(&parts.method, parts.uri.path()) else {
        return response::of_gateway(StatusCode::NOT_FOUND, "Not Found");
    };
    let event = event::make(&parts, &body, peer, &found);
    if event.to_string().len() > MAX_PAYLOAD {
        return response::of_gateway(StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long");
    }
    let pool = match found.function {
        routes::Function::Submit => &api.submit,
        routes::Function::Query => &api.query,
    };
    match timeout(MAX_TIME, pool.invoke(event)).await {
        Err(_elapsed) => response::of_gateway(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        Ok(answer) => answer
            .and_then(|answer| response::of_function(&answer))
            .unwrap_or_else(|error| {
                eprintln!("{} {}: {error:#}", parts.method, parts.uri);
                response::of_gateway(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
            }),
    }
}
