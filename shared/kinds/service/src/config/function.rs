//! `runner_config` of services that are functions of a cloud.

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::web_address::WebAddress;
use callboard_core::credential::CredentialRef;
use serde::{Deserialize, Serialize};

const MAX_BYTES: usize = 2048;

/// How a function is called.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionConfig {
    /// The cloud.
    pub provider: Provider,
    /// The name or ARN of a Lambda function, or the URL of a function of Google Cloud.
    pub function: String,
    /// The version or alias of a Lambda function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<String>,
    /// Whether a Lambda function is called without waiting for its end.
    pub asynchronous: bool,
    /// The region of a Lambda function. Default: that of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The access to the cloud. Default: the worker's own identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialRef>,
}

/// A cloud that has functions.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// AWS Lambda.
    AwsLambda,
    /// Google Cloud Functions.
    GoogleCloudFunctions,
}

impl FunctionConfig {
    pub(super) fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Self> {
        let provider = match fields.get("provider") {
            None => Provider::AwsLambda,
            Some(_) => match fields.variant("provider", &["aws_lambda", "google_cloud_functions"], faults) {
                Some("google_cloud_functions") => Provider::GoogleCloudFunctions,
                _ => Provider::AwsLambda,
            },
        };
        let function = fields.required_line("function", MAX_BYTES, faults);
        let is_lambda = provider == Provider::AwsLambda;
        if let (false, Some(url)) = (is_lambda, function) {
            match WebAddress::parse(url) {
                Err(wrong) => faults.add(fields.pointer("function"), wrong),
                Ok(_) if !url.starts_with("https://") => {
                    faults.add(fields.pointer("function"), "must begin with https://");
                }
                Ok(_) => {}
            }
        }
        let lines = |name, fields: &mut Fields<'_>, faults: &mut Faults| {
            let text = if is_lambda {
                fields.line(name, MAX_BYTES, faults)
            } else {
                None
            };
            text.map(str::to_owned)
        };
        let asynchronous = match (is_lambda, fields.get("invocation")) {
            (true, Some(_)) => fields.variant("invocation", &["sync", "async"], faults) == Some("async"),
            (false, Some(_)) => {
                faults.add(fields.pointer("invocation"), "is for Lambda functions");
                false
            }
            (_, None) => false,
        };
        Some(Self {
            provider,
            qualifier: lines("qualifier", fields, faults),
            asynchronous,
            region: lines("region", fields, faults),
            credential: CredentialRef::field(fields, "credential", faults),
            function: function?.to_owned(),
        })
    }
}
