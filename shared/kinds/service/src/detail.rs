//! What a call of a service reports in addition to what every job reports.

use callboard_core::request::Reason;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// The service answered, and its answer does not count as successful.
pub const HTTP_STATUS: Reason = Reason::new("http_status");
/// The service could not be reached, or did not answer in time.
pub const SERVICE_UNREACHABLE: Reason = Reason::new("service_unreachable");
/// The program or container ended with another exit code than those that count as successful.
pub const EXIT_CODE: Reason = Reason::new("exit_code");
/// The function reported an error.
pub const FUNCTION_ERROR: Reason = Reason::new("function_error");
/// The output breaks the operation's `output_schema`.
pub const OUTPUT_INVALID: Reason = Reason::new("output_invalid");
/// The service has failed so often that it is not called for a while.
pub const CIRCUIT_OPEN: Reason = Reason::new("circuit_open");
/// The worker cannot give the isolation that the service demands.
pub const ISOLATION_UNAVAILABLE: Reason = Reason::new("isolation_unavailable");
/// The execution was ended because it used more than its service allows.
pub const RESOURCE_LIMIT: Reason = Reason::new("resource_limit");
/// The reasons that only calls of services have.
pub const REASONS: &[Reason] = &[
    HTTP_STATUS,
    SERVICE_UNREACHABLE,
    EXIT_CODE,
    FUNCTION_ERROR,
    OUTPUT_INVALID,
    CIRCUIT_OPEN,
    ISOLATION_UNAVAILABLE,
    RESOURCE_LIMIT,
];

/// The statuses with which a service says that it may answer differently later.
pub const TRANSIENT: [u16; 7] = [408, 425, 429, 500, 502, 503, 504];
/// Those with which it says that it has done nothing.
pub const UNDONE: [u16; 2] = [425, 429];

/// The result of a call.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(default)]
#[schema(as = ResultPart)]
pub struct Detail {
    /// What the operation returned: JSON, or a text.
    #[schema(value_type = Option<Object>)]
    pub output: Option<Value>,
    /// Whether `output` is only the beginning, or absent, because it is too large. The log has all of it.
    #[schema(required)]
    pub output_truncated: bool,
    /// The status that an HTTP service answered with.
    pub status_code: Option<u16>,
    /// The exit code of a program or a container. If a signal ended it, 128 plus the signal number.
    pub exit_code: Option<i32>,
    /// What was called: the request line, the arguments, the image's digest or the function. Secrets are named, not shown.
    pub called: Option<String>,
    /// Whether the service has only accepted the work, and goes on with it: how that ends is not known to the job.
    #[schema(required)]
    pub accepted: bool,
    /// Whether it is certain that a call which failed had no effect: nothing of it was sent or started.
    #[schema(required)]
    pub no_effect: bool,
    /// The operation that stood in for the one that was asked for, as `SERVICE/OPERATION`.
    pub replaced_by: Option<String>,
    /// What the execution was isolated by.
    #[schema(required)]
    pub isolation: Vec<String>,
}

/// How far a call has got.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(default)]
#[schema(as = Progress)]
pub struct CallProgress {
    /// What is being called: the request line, the arguments, the image or the function. Secrets are named, not shown.
    pub called: Option<String>,
}
