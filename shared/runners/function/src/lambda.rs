//! Calls AWS Lambda functions by the Invoke API.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callboard_core::base::causes::causes;
use callboard_core::credential::AwsKeys;
use callboard_core::job::{Cost, Outcome, Usage};
use callboard_http::Answer;
use callboard_identity::{AwsError, Endpoints, region_of_arn, sign};
use callboard_kind_service::attempt::Tried;
use callboard_kind_service::config::FunctionConfig;
use callboard_kind_service::detail::{Detail, FUNCTION_ERROR};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::invocation::Invocation;
use crate::verdict::{Untried, ended, refused, returned};
use crate::{cost, function_error};

/// Everything but letters, digits and `-._~`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// How much a function takes: for an answer, and for none.
const MAX_SYNC_BYTES: usize = 6 * 1024 * 1024;
const MAX_ASYNC_BYTES: usize = 1024 * 1024;
/// How much of an error of AWS is read.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// A Lambda function to call.
pub(crate) struct Lambda<'a> {
    pub(crate) config: &'a FunctionConfig,
    pub(crate) keys: &'a AwsKeys,
    pub(crate) endpoints: &'a Endpoints,
}

/// Names a function as records do.
pub(crate) fn name(config: &FunctionConfig) -> String {
    match &config.qualifier {
        Some(qualifier) => format!("{}:{qualifier}", config.function),
        None => config.function.clone(),
    }
}

impl Lambda<'_> {
    /// Calls the function, and waits for its end unless it is called without waiting.
    pub(crate) async fn call(&self, invocation: &Invocation<'_>) -> Result<Tried, Untried> {
        let answer = invocation.send(self.request(invocation)?).await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        match status {
            202 => Ok(accepted()),
            200..=299 => self.returned(invocation, answer, &headers).await,
            _ => {
                let asked = answer.retry_after();
                let body = answer.body(MAX_ERROR_BYTES).await.unwrap_or_default();
                Ok(refused(status, refusal(status, &headers, &body), asked))
            }
        }
    }

    fn request(&self, invocation: &Invocation<'_>) -> Result<Request<Vec<u8>>, Untried> {
        let body = serde_json::to_vec(invocation.input).map_err(|error| Untried::Invalid(error.to_string()))?;
        let most = if self.config.asynchronous {
            MAX_ASYNC_BYTES
        } else {
            MAX_SYNC_BYTES
        };
        if body.len() > most {
            let size = body.len();
            return Err(Untried::Invalid(format!(
                "the input has {size} bytes as JSON, and AWS Lambda takes at most {most}"
            )));
        }
        let region = self.region().ok_or_else(|| {
            Untried::Invalid(
                "the region of the function is not known: name it in runner_config, or set AWS_REGION".to_owned(),
            )
        })?;
        let context = json!({"custom": {"callboard_job": invocation.job.to_string()}});
        let kind = if self.config.asynchronous {
            "Event"
        } else {
            "RequestResponse"
        };
        let request = Request::post(self.url(&region))
            .header(CONTENT_TYPE, "application/json")
            .header("x-amz-invocation-type", kind)
            .header("x-amz-log-type", if self.config.asynchronous { "None" } else { "Tail" })
            .header("x-amz-client-context", STANDARD.encode(context.to_string()))
            .body(body);
        let mut request = request.map_err(|error| Untried::Invalid(error.to_string()))?;
        let signed = sign(&mut request, "lambda", &region, self.keys);
        signed.map_err(|error| Untried::Unauthorized(causes(&error).to_string()))?;
        Ok(request)
    }

    /// Returns the region: the one that is named, that of the function's ARN, or that of the keys.
    fn region(&self) -> Option<String> {
        let named = self.config.region.clone();
        let named = named.or_else(|| region_of_arn(&self.config.function));
        named.or_else(|| self.keys.region.clone())
    }

    fn url(&self, region: &str) -> String {
        let base = self.endpoints.url("lambda", region);
        let function = utf8_percent_encode(&self.config.function, RESERVED);
        let mut url = format!("{base}2015-03-31/functions/{function}/invocations");
        if let Some(qualifier) = &self.config.qualifier {
            url.push_str("?Qualifier=");
            url.extend(utf8_percent_encode(qualifier, RESERVED));
        }
        url
    }

    /// Reads what the function has returned; the end of its log comes first.
    async fn returned(
        &self,
        invocation: &Invocation<'_>,
        mut answer: Answer,
        headers: &HeaderMap,
    ) -> Result<Tried, Untried> {
        let log = header(headers, "x-amz-log-result").and_then(|text| STANDARD.decode(text).ok());
        let log = log.unwrap_or_default();
        let redacted = invocation.redactor.bytes(&log);
        invocation.output.stdout(&redacted).await.map_err(Untried::Store)?;
        let cost = cost::estimate(&String::from_utf8_lossy(&log));
        let kept = answer.keep(self.config.max_response_bytes, invocation.output, invocation.redactor);
        let kept = kept.await.map_err(Untried::Store)?;
        let error = header(headers, "x-amz-function-error").filter(|_| kept.broken.is_none());
        let error = error.map(|how| function_error::sentence(how, &returned(&kept, invocation.redactor)));
        let status = answer.status().as_u16();
        let mut tried = ended(kept, status, invocation.schema, invocation.redactor);
        if let Some(error) = error {
            tried.outcome = Outcome::failed(FUNCTION_ERROR, error);
        }
        tried.outcome.usage = Some(usage(cost));
        let version = header(headers, "x-amz-executed-version").filter(|version| is_version(version));
        tried.detail.called = version.map(|version| format!("{} (version {version})", name(self.config)));
        Ok(tried)
    }
}

fn usage(cost: Option<Cost>) -> Usage {
    Usage {
        cost,
        ..Usage::default()
    }
}

/// Makes the result of a call without waiting. How the function ends, only its own destinations are told.
fn accepted() -> Tried {
    Tried {
        outcome: Outcome::successful(),
        detail: Detail {
            accepted: true,
            status_code: Some(202),
            ..Detail::default()
        },
        transient: false,
        done: true,
        asked: None,
    }
}

/// Says why AWS has refused a call. Its own words are repeated only where they tell a missing function or permission: those about a
/// signature would repeat what was signed.
fn refusal(status: u16, headers: &HeaderMap, body: &[u8]) -> String {
    let Some(AwsError { kind, message }) = AwsError::read(header(headers, "x-amzn-errortype"), body) else {
        return format!("AWS Lambda answered with status {status}");
    };
    let tells = kind.starts_with("AccessDenied") || kind == "ResourceNotFoundException";
    match message.filter(|_| tells) {
        Some(message) => format!("AWS Lambda answered {kind} (status {status}): {message}"),
        None => format!("AWS Lambda answered {kind} (status {status})"),
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(HeaderValue::to_str)?.ok()
}

fn is_version(text: &str) -> bool {
    text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'$')
}
