//! `runner_config` of services that are functions of a cloud.

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::web_address::WebAddress;
use callboard_core::credential::{CredentialKind, CredentialRef};
use serde::{Deserialize, Serialize};

use super::places::{aws_name, choice};

const MAX_BYTES: usize = 2048;
const MAX_RESPONSE_BYTES: u64 = 16 * 1024 * 1024;
const USUAL_RESPONSE_BYTES: u64 = 1024 * 1024;

/// How a function is called.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionConfig {
    /// The cloud.
    pub provider: Provider,
    /// The name or ARN of a Lambda function, or the URL of a function of Google Cloud.
    pub function: String,
    /// The version or alias of a Lambda function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<String>,
    /// Whether a Lambda function is called without waiting for its end.
    pub asynchronous: bool,
    /// The region of a Lambda function. Default: that of its ARN, or that of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// For whom the ID token for a function of Google Cloud is made. Default: the function's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// The access to the cloud: a `cloud` credential for AWS, a `password` that holds a service account's key file for Google
    /// Cloud. Default: the worker's own identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialRef>,
    /// How much of an answer is the job's output, in bytes. The rest is in its log only.
    pub max_response_bytes: u64,
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
        let providers = ["aws_lambda", "google_cloud_functions"];
        let config = match choice(fields, "provider", &providers, "aws_lambda", faults) {
            "aws_lambda" => Self::lambda(fields, faults),
            _ => Self::google(fields, faults),
        };
        let credential = CredentialRef::field(fields, "credential", faults);
        let max_response_bytes = fields.integer("max_response_bytes", 0, MAX_RESPONSE_BYTES, faults);
        Some(Self {
            credential,
            max_response_bytes: max_response_bytes.unwrap_or(USUAL_RESPONSE_BYTES),
            ..config?
        })
    }

    fn lambda(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Self> {
        let function = fields.required_line("function", MAX_BYTES, faults);
        if function.is_some_and(|name| !is_function(name)) {
            faults.add(
                fields.pointer("function"),
                "must be the name or ARN of a Lambda function: letters, digits, `:`, `_` and `-`; its version goes into qualifier",
            );
        }
        let qualifier = fields.line("qualifier", MAX_BYTES, faults);
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"$_-".contains(&byte);
        if qualifier.is_some_and(|name| !name.bytes().all(good)) {
            faults.add(fields.pointer("qualifier"), "must be a version or an alias");
        }
        let asynchronous = choice(fields, "invocation", &["sync", "async"], "sync", faults) == "async";
        let region = aws_name(fields, "region", faults);
        Some(Self {
            asynchronous,
            qualifier: qualifier.map(str::to_owned),
            region,
            ..Self::plain(Provider::AwsLambda, function?)
        })
    }

    fn google(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Self> {
        let url = fields.required_line("function", MAX_BYTES, faults);
        match url.map(|url| (WebAddress::parse(url), url)) {
            Some((Err(wrong), _)) => faults.add(fields.pointer("function"), wrong),
            Some((Ok(_), url)) if !url.starts_with("https://") => {
                faults.add(fields.pointer("function"), "must begin with https://");
            }
            Some((Ok(_), url)) if url.contains('#') => {
                faults.add(fields.pointer("function"), "must have no fragment");
            }
            _ => {}
        }
        let audience = fields.line("audience", MAX_BYTES, faults).map(str::to_owned);
        Some(Self {
            audience,
            ..Self::plain(Provider::GoogleCloudFunctions, url?)
        })
    }

    fn plain(provider: Provider, function: &str) -> Self {
        Self {
            provider,
            function: function.to_owned(),
            qualifier: None,
            asynchronous: false,
            region: None,
            audience: None,
            credential: None,
            max_response_bytes: USUAL_RESPONSE_BYTES,
        }
    }

    /// Returns the kinds of credentials that give access to its cloud.
    #[must_use]
    pub fn kinds(&self) -> &'static [CredentialKind] {
        match self.provider {
            Provider::AwsLambda => &[CredentialKind::Cloud],
            Provider::GoogleCloudFunctions => &[CredentialKind::Password],
        }
    }
}

/// Returns whether a text may be a function's name, partial ARN or ARN: nothing that could change the address that it is put in.
fn is_function(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b":_-".contains(&byte);
    name.bytes().all(good)
}
