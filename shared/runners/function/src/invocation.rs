//! What every call of a function has, whatever its cloud.

use std::sync::Arc;
use std::time::Duration;

use callboard_core::base::id::JobId;
use callboard_core::output::Output;
use callboard_core::redact::Redactor;
use callboard_http::{Answer, Caller};
use http::Request;
use serde_json::{Map, Value};

use crate::verdict::Untried;

/// How much longer the client waits than the operation's time limit, which is to end the call first.
const MARGIN: Duration = Duration::from_secs(60);

/// A call of a function.
pub(crate) struct Invocation<'a> {
    pub(crate) job: JobId,
    pub(crate) input: &'a Map<String, Value>,
    /// What the function's output must be.
    pub(crate) schema: Option<&'a Value>,
    /// The operation's time limit.
    pub(crate) limit: Duration,
    pub(crate) caller: &'a Caller,
    pub(crate) redactor: &'a Arc<Redactor>,
    pub(crate) output: &'a Output,
}

impl Invocation<'_> {
    /// Sends a request; the answer begins when the function has ended.
    pub(crate) async fn send(&self, request: Request<Vec<u8>>) -> Result<Answer, Untried> {
        let first_byte = self.limit.saturating_add(MARGIN);
        self.caller.send(request, first_byte).await.map_err(Untried::Call)
    }
}
