//! Calls the services that an operator has registered: any method, and answers that are read as they arrive.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use callboard_core::credential::ClientCertificate;
use http::{HeaderMap, Request, StatusCode};
use tokio::time::timeout;
use url::Host;

use crate::error::FetchError;
use crate::guard::{Guard, Guarded};
use crate::{body, client_with};

/// A client for registered services. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Caller {
    client: reqwest::Client,
    guard: Arc<Guard>,
}

/// An answer whose body is still to be read.
#[derive(Debug)]
pub struct Answer {
    host: String,
    response: reqwest::Response,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct CallError {
    /// The cause.
    pub source: FetchError,
    /// Whether the service may have received the request.
    pub sent: bool,
}

impl CallError {
    /// Returns whether the host has an address that may not be called.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&self.source);
        while let Some(error) = cause {
            let known = error.downcast_ref::<FetchError>();
            if matches!(
                known,
                Some(FetchError::Private { .. } | FetchError::NeverAllowed { .. })
            ) {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

impl Caller {
    /// Makes a client that connects to what `guard` allows, and follows no redirects.
    ///
    /// # Errors
    /// The system provides no random numbers, or no memory.
    pub fn new(guard: Guard, connect_timeout: Duration) -> Result<Self, FetchError> {
        Self::showing(None, guard, connect_timeout)
    }

    /// Makes such a client that shows a certificate to servers that ask for one.
    ///
    /// # Errors
    /// As for [`Caller::new`], or the certificate cannot be read.
    pub fn showing(
        certificate: Option<&ClientCertificate>,
        guard: Guard,
        connect_timeout: Duration,
    ) -> Result<Self, FetchError> {
        let guard = Arc::new(guard);
        let client = client_with(Guarded(Arc::clone(&guard)), connect_timeout, None, certificate)?;
        Ok(Self { client, guard })
    }

    /// Sends a request; returns when the head of the answer has arrived, whatever its status.
    ///
    /// # Errors
    /// The guard refuses the host, or there is no answer within `first_byte`.
    pub async fn send(&self, request: Request<Vec<u8>>, first_byte: Duration) -> Result<Answer, CallError> {
        let unsent = |source| CallError { source, sent: false };
        let request = reqwest::Request::try_from(request).map_err(|_| unsent(FetchError::Address))?;
        let url = request.url();
        let host = url.host_str().ok_or_else(|| unsent(FetchError::Address))?.to_owned();
        // a literal address does not go through the resolver, so it is checked here
        if !matches!(url.host(), Some(Host::Domain(_))) {
            self.guard.addresses(url).await.map_err(unsent)?;
        }
        match timeout(first_byte, self.client.execute(request)).await {
            Ok(Ok(response)) => Ok(Answer { host, response }),
            Ok(Err(error)) => {
                let sent = !error.is_connect();
                let source = FetchError::of(&host, error);
                Err(CallError { source, sent })
            }
            Err(_) => Err(CallError {
                source: FetchError::TooSlow { host },
                sent: true,
            }),
        }
    }
}

impl Answer {
    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Returns the headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// Reads the whole body, of at most `max_bytes`.
    ///
    /// # Errors
    /// The service breaks the answer off, or the body is larger.
    pub async fn body(self, max_bytes: usize) -> Result<Vec<u8>, FetchError> {
        body::read(self.response, &self.host, max_bytes).await
    }

    /// Returns the next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// The service breaks the answer off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, FetchError> {
        let chunk = self.response.chunk().await;
        chunk.map_err(|error| FetchError::of(&self.host, error))
    }
}
