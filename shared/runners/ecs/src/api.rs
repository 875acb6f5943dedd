//! Calls AWS's services that speak JSON: ECS, and CloudWatch Logs.

use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::credential::AwsKeys;
use callboard_http::Client;
use callboard_identity::{AwsError, Endpoints, sign};
use http::Request;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_json::Value;

const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The errors whose messages say what is missing. Those about a signature would repeat what was signed.
const TELLING: [&str; 9] = [
    "AccessDeniedException",
    "BlockedException",
    "ClientException",
    "ClusterNotFoundException",
    "InvalidParameterException",
    "PlatformTaskDefinitionIncompatibilityException",
    "PlatformUnknownException",
    "ResourceNotFoundException",
    "UnsupportedFeatureException",
];

/// A service of AWS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Service {
    Ecs,
    Logs,
}

impl Service {
    /// Returns its name in hosts and signatures, and the prefix of its operations.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Ecs => ("ecs", "AmazonEC2ContainerServiceV20141113"),
            Self::Logs => ("logs", "Logs_20140328"),
        }
    }
}

/// Why a call came to nothing.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The service answered with an error.
    Refused {
        /// Its name, such as `ClientException`.
        kind: String,
        /// The whole of it, as a part of a sentence.
        told: String,
    },
    /// There is no answer that can be read.
    Unanswered(String),
}

impl Fault {
    pub(crate) fn is(&self, name: &str) -> bool {
        matches!(self, Self::Refused { kind, .. } if kind == name)
    }

    /// Returns whether the service has too much to do, or no room: the same call may be answered later.
    pub(crate) fn is_shortage(&self) -> bool {
        let Self::Refused { kind, told } = self else {
            return false;
        };
        ["ThrottlingException", "LimitExceededException"].contains(&kind.as_str()) || is_limit(told)
    }

    pub(crate) fn into_told(self) -> String {
        match self {
            Self::Refused { told, .. } | Self::Unanswered(told) => told,
        }
    }
}

/// Returns whether a text says that there is no room: a quota of the account, or the cluster, is used up.
pub(crate) fn is_limit(told: &str) -> bool {
    let told = told.to_lowercase();
    told.contains("limit on the number of") || told.contains("capacity") || told.contains("resource:")
}

/// Calls services of a region.
pub(crate) struct Aws<'a> {
    pub(crate) client: &'a Client,
    pub(crate) endpoints: &'a Endpoints,
    pub(crate) keys: &'a AwsKeys,
    pub(crate) region: String,
}

impl Aws<'_> {
    /// Calls an operation. It is repeated where there is no answer, so it must do no harm twice.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        service: Service,
        operation: &str,
        input: &Value,
    ) -> Result<T, Fault> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            match self.send(service, operation, input).await {
                Err(fault) if matches!(fault, Fault::Unanswered(_)) || fault.is_shortage() => {
                    tokio::time::sleep(pause).await;
                }
                answered => return answered,
            }
            pause *= 3;
        }
        self.send(service, operation, input).await
    }

    async fn send<T: DeserializeOwned>(&self, service: Service, operation: &str, input: &Value) -> Result<T, Fault> {
        let (name, prefix) = service.names();
        let unanswered = |why: &str| Fault::Unanswered(format!("{operation} of AWS ({name}): {why}"));
        let request = Request::post(self.endpoints.url(name, &self.region))
            .header(CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", format!("{prefix}.{operation}"))
            .body(input.to_string().into_bytes());
        let mut request = request.map_err(|error| unanswered(&error.to_string()))?;
        let signed = sign(&mut request, name, &self.region, self.keys);
        signed.map_err(|error| unanswered(&causes(&error).to_string()))?;
        let answer = self.client.send(request).await;
        let answer = answer.map_err(|error| unanswered(&causes(&error).to_string()))?;
        if answer.status().is_success() {
            // the parser's own message could quote the text
            return serde_json::from_slice(answer.body())
                .map_err(|_| unanswered("the answer is not what this release knows"));
        }
        Err(refusal(operation, name, answer.status().as_u16(), answer.body()))
    }
}

fn refusal(operation: &str, service: &str, status: u16, body: &[u8]) -> Fault {
    // an error of the service's own says nothing of whether it did what was asked
    let Some(AwsError { kind, message }) = AwsError::read(None, body).filter(|_| status < 500) else {
        return Fault::Unanswered(format!("{operation} of AWS ({service}): status {status}"));
    };
    let told = match message.filter(|_| TELLING.contains(&kind.as_str())) {
        Some(message) => format!("{operation} of AWS ({service}): {kind}: {message}"),
        None => format!("{operation} of AWS ({service}): {kind}"),
    };
    Fault::Refused { kind, told }
}
