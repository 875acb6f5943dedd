//! A bucket with copies of the audit log. Object Lock keeps its objects unchanged.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use callboard_core::base::store_error::StoreError;

use crate::config::s3_client;
use crate::error::aws;

/// The bucket.
#[derive(Clone, Debug)]
pub struct AuditBucket {
    client: Client,
    name: String,
}

impl AuditBucket {
    /// Uses a bucket.
    #[must_use]
    pub fn new(config: &SdkConfig, name: String) -> Self {
        let client = s3_client(config);
        Self { client, name }
    }

    /// Keeps lines under a name, unless there is an object of that name, which an earlier delivery of the same lines has made.
    ///
    /// # Errors
    /// The bucket does not answer, or refuses.
    pub async fn keep(&self, name: &str, lines: String) -> Result<(), StoreError> {
        let put = self.client.put_object().bucket(&self.name).key(name);
        let put = put.content_type("application/jsonl").body(lines.into_bytes().into());
        match put.if_none_match("*").send().await {
            Err(error) if error.code() == Some("PreconditionFailed") => Ok(()),
            put => put.map(drop).map_err(aws),
        }
    }
}
