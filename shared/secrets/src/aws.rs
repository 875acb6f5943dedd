//! The few AWS calls that are needed, made without an SDK, so that `callboard` links none.

mod answer;
mod keepers;
mod sts;

use std::sync::Arc;

use callboard_core::credential::AwsKeys;
use callboard_identity::sign;
use http::header::CONTENT_TYPE;
use http::{HeaderName, Request};

use crate::call::{Answer, Caller};
use crate::fault::Fault;

pub use callboard_identity::Endpoints;
pub(crate) use callboard_identity::region_of_arn;
pub(crate) use sts::{Role, caller_identity};

/// The region of AWS's global services.
pub(crate) const DEFAULT_REGION: &str = "us-east-1";

/// A service of AWS.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Service {
    SecretsManager,
    Ssm,
    Sts,
}

impl Service {
    /// Returns the name used in hosts and signatures.
    fn name(self) -> &'static str {
        match self {
            Self::SecretsManager => "secretsmanager",
            Self::Ssm => "ssm",
            Self::Sts => "sts",
        }
    }
}

/// Calls AWS.
pub(crate) struct Aws {
    caller: Arc<Caller>,
    endpoints: Endpoints,
}

/// One call, without the caller's keys.
struct Call<'a> {
    service: Service,
    region: &'a str,
    headers: &'a [(HeaderName, &'static str)],
    body: Vec<u8>,
}

impl Aws {
    pub(crate) fn new(caller: Arc<Caller>, endpoints: Endpoints) -> Self {
        Self { caller, endpoints }
    }

    /// Sends a signed call and returns the answer if it is a success.
    async fn send(&self, call: Call<'_>, keys: &AwsKeys) -> Result<Answer, Fault> {
        let mut request = Request::post(self.endpoints.url(call.service.name(), call.region)).body(call.body);
        if let Ok(request) = &mut request {
            for (name, value) in call.headers {
                request
                    .headers_mut()
                    .insert(name, http::HeaderValue::from_static(value));
            }
        }
        let mut request = request.map_err(|error| Fault::caused("the address of AWS is not valid", error))?;
        sign(&mut request, call.service.name(), call.region, keys)?;
        let answer = self.caller.call(request, answer::is_busy).await?;
        if answer.status().is_success() {
            Ok(answer)
        } else {
            Err(answer::fault(&answer))
        }
    }
}

/// The content type of AWS's JSON protocol.
const JSON: (HeaderName, &str) = (CONTENT_TYPE, "application/x-amz-json-1.1");
/// The content type of AWS's query protocol.
const FORM: (HeaderName, &str) = (CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8");
