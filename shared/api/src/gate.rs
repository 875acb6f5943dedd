//! Decides which requests are let in: they must name one of our hosts, and if a web page sends them, it must be one of ours.
//!
//! A page of another origin can make its reader's browser send requests to addresses that only the reader can reach, and can
//! point its own domain name to such an address. The browser sends the name it was given in `Host`, and the page's origin in `Origin`.

mod names;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Method, Version};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

pub use self::names::{HostName, NotAHostName, NotAnOrigin, Origin};
use crate::problem::{Kind, Problem};

/// The hosts a request may name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Hosts {
    /// Not checked here: the transport has already checked it.
    Unchecked,
    /// Any host, as long as it is given only once.
    Any,
    /// This machine's own names, and the listed ones.
    Listed(Vec<HostName>),
}

/// Decides which requests are let in.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The hosts that requests may name.
    pub hosts: Hosts,
    /// The origins whose web pages may send requests, besides the host's own.
    pub origins: Vec<Origin>,
}

impl Gate {
    /// Puts the gate in front of the routes. Pages of the listed origins may read the answers (CORS).
    pub(crate) fn guard(self, routes: Router) -> Router {
        let routes = match self.origins.is_empty() {
            true => routes,
            false => routes.layer(self.cors()),
        };
        routes.layer(middleware::from_fn_with_state(Arc::new(self), check))
    }

    fn cors(&self) -> CorsLayer {
        let origins = self.origins.iter().map(|origin| HeaderValue::from_str(origin.as_str()));
        CorsLayer::new()
            .allow_origin(origins.flatten().collect::<Vec<_>>())
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(Any)
    }

    /// Returns why a request is refused, or `None` if it is let in.
    fn refuse(&self, request: &Request) -> Option<Problem> {
        let headers = request.headers();
        let target = request.uri().authority().map(|authority| authority.as_str());
        if let Err(problem) = self.check_host(request.version(), target, headers) {
            return Some(problem);
        }
        let own = target.or_else(|| text(headers.get(HOST)?)).unwrap_or_default();
        let foreign = headers.get_all(ORIGIN).iter().find(|origin| !self.takes(own, origin))?;
        let detail = format!(
            "The request to {own:?} comes from a web page of {foreign:?}. The operator can allow that origin with --allowed-origin."
        );
        Some(Problem::new(Kind::OriginNotAllowed, detail))
    }

    fn check_host(&self, version: Version, target: Option<&str>, headers: &HeaderMap) -> Result<(), Problem> {
        if self.hosts == Hosts::Unchecked {
            return Ok(());
        }
        let mut given = headers.get_all(HOST).iter();
        let host = match (given.next(), given.next()) {
            (Some(host), None) => text(host).and_then(names::host_of),
            (None, _) if version < Version::HTTP_11 => return Ok(()),
            (None, _) => return Err(invalid("is missing; HTTP/1.1 needs it")),
            (Some(_), Some(_)) => return Err(invalid("is given twice")),
        };
        let host = host.ok_or_else(|| invalid("is no host, with or without a port"))?;
        let Hosts::Listed(listed) = &self.hosts else {
            return Ok(());
        };
        let target = target.map(|target| names::host_of(target).unwrap_or_default());
        let is_ours = |host: &String| names::is_local(host) || listed.iter().any(|name| name == host);
        let other = target.into_iter().chain([host]).find(|host| !is_ours(host));
        other.map_or(Ok(()), |other| Err(misdirected(&other)))
    }

    fn takes(&self, own: &str, origin: &HeaderValue) -> bool {
        let origin = text(origin).and_then(|origin| origin.parse::<Origin>().ok());
        origin.is_some_and(|origin| origin.is_of(own) || self.origins.contains(&origin))
    }
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

fn invalid(detail: &str) -> Problem {
    Problem::header("Host", detail.to_owned())
}

fn misdirected(host: &str) -> Problem {
    let detail = format!("{host:?} is not a name of this service. The operator can allow it with --allowed-host.");
    Problem::new(Kind::HostNotAllowed, detail)
}

async fn check(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    match gate.refuse(&request) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}
