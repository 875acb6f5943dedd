//! Talks to services whose addresses are trusted.

use std::sync::Arc;

use http::{Request, Response};
use url::Host;

use crate::error::FetchError;
use crate::guard::{Guard, Guarded};
use crate::{CONNECT_TIMEOUT, Limits, body, client};

/// A client for services that an operator or the owner of a credential has named. They may have private addresses, but
/// not link-local ones. The client follows no redirects.
#[derive(Clone, Debug)]
pub struct Client {
    client: reqwest::Client,
    guard: Arc<Guard>,
    max_bytes: usize,
}

impl Client {
    /// Makes a client; the limits apply to each call.
    ///
    /// # Errors
    /// The system provides no random numbers, or no memory.
    pub fn new(limits: Limits) -> Result<Self, FetchError> {
        Self::with(Guard::allowing(|_host| true), limits)
    }

    /// Makes a client for a cloud's metadata server, which has a link-local address and tells who asks it the machine's identity.
    /// Nothing that a request names may be asked with it.
    ///
    /// # Errors
    /// As for [`Client::new`].
    pub fn metadata(limits: Limits) -> Result<Self, FetchError> {
        Self::with(Guard::metadata(), limits)
    }

    fn with(guard: Guard, limits: Limits) -> Result<Self, FetchError> {
        let guard = Arc::new(guard);
        Ok(Self {
            client: client(Guarded(Arc::clone(&guard)), CONNECT_TIMEOUT, Some(limits.timeout))?,
            guard,
            max_bytes: limits.max_bytes,
        })
    }

    /// Sends a request and returns the answer, whatever its status.
    ///
    /// # Errors
    /// There is no answer within the limits.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, FetchError> {
        let request = reqwest::Request::try_from(request).map_err(|_| FetchError::Address)?;
        let url = request.url();
        let host = url.host_str().ok_or(FetchError::Address)?.to_owned();
        // a literal address does not go through the resolver, so it is checked here
        if !matches!(url.host(), Some(Host::Domain(_))) {
            self.guard.addresses(url).await?;
        }
        let answer = self.client.execute(request).await;
        let answer = answer.map_err(|error| FetchError::of(&host, error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut response = Response::new(body::read(answer, &host, self.max_bytes).await?);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}
