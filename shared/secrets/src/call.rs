//! Calls with retries, in bounded time.

use std::time::Duration;

use callboard_http::{Client, FetchError, Limits};
use http::{Request, Response};
use tokio::time::{sleep, timeout};

const TRIES: usize = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The time for all tries of one call together.
const TOTAL: Duration = Duration::from_secs(15);
const LIMITS: Limits = Limits {
    max_bytes: 1024 * 1024,
    timeout: Duration::from_secs(10),
};

pub(crate) type Answer = Response<Vec<u8>>;

/// Makes calls to services that keep secrets.
pub(crate) struct Caller(Client);

impl Caller {
    pub(crate) fn new() -> Result<Self, FetchError> {
        Client::new(LIMITS).map(Self)
    }

    /// Sends a request. Tries again if there is no connection, or if `busy` says that a later answer may differ.
    pub(crate) async fn call(
        &self,
        request: Request<Vec<u8>>,
        busy: impl Fn(&Answer) -> bool,
    ) -> Result<Answer, FetchError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let answer = timeout(TOTAL, self.tries(request, busy)).await;
        answer.unwrap_or(Err(FetchError::TooSlow { host }))
    }

    async fn tries(&self, request: Request<Vec<u8>>, busy: impl Fn(&Answer) -> bool) -> Result<Answer, FetchError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            match self.0.send(request.clone()).await {
                Ok(answer) if !busy(&answer) => return Ok(answer),
                Err(error) if !error.is_retryable() => return Err(error),
                _ => sleep(pause).await,
            }
            pause *= 3;
        }
        self.0.send(request).await
    }
}

/// Returns whether an answer's status says that a later answer may differ.
pub(crate) fn is_busy(answer: &Answer) -> bool {
    answer.status().is_server_error() || answer.status().as_u16() == 429
}
