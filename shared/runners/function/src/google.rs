//! Calls functions of Google Cloud by HTTPS, with an ID token.

use callboard_core::base::secret::Secret;
use callboard_kind_service::attempt::Tried;
use callboard_kind_service::config::FunctionConfig;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request};

use crate::invocation::Invocation;
use crate::verdict::{Untried, ended, refused};

/// Calls a function, and waits for its end.
pub(crate) async fn call(
    config: &FunctionConfig,
    token: &Secret,
    invocation: &Invocation<'_>,
) -> Result<Tried, Untried> {
    let mut answer = invocation.send(request(config, token, invocation)?).await?;
    let (status, asked) = (answer.status().as_u16(), answer.retry_after());
    let kept = answer.keep(config.max_response_bytes, invocation.output, invocation.redactor);
    let kept = kept.await.map_err(Untried::Store)?;
    if (200..300).contains(&status) || kept.broken.is_some() {
        return Ok(ended(kept, status, invocation.schema, invocation.redactor));
    }
    let answered = ended(kept, status, None, invocation.redactor).detail;
    let mut tried = refused(status, format!("the function answered with status {status}"), asked);
    tried.detail = answered;
    Ok(tried)
}

fn request(config: &FunctionConfig, token: &Secret, invocation: &Invocation<'_>) -> Result<Request<Vec<u8>>, Untried> {
    let body = serde_json::to_vec(invocation.input).map_err(|error| Untried::Invalid(error.to_string()))?;
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        .map_err(|_| Untried::Unauthorized("the ID token has a character that no header may have".to_owned()))?;
    value.set_sensitive(true);
    let request = Request::post(&config.function)
        .header(CONTENT_TYPE, "application/json")
        .header(AUTHORIZATION, value)
        .body(body);
    request.map_err(|error| Untried::Invalid(error.to_string()))
}
