//! An object of the bucket that is read again when it has changed.

use std::sync::{Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectError;
use bytes::Bytes;
use callboard_core::base::store_error::StoreError;

use crate::config::s3_client;
use crate::error::aws;

const NOT_MODIFIED: u16 = 304;

/// An object, and which content of it was read last.
#[derive(Debug)]
pub struct WatchedObject {
    client: Client,
    bucket: String,
    key: String,
    /// The entity tag of the last content.
    read: Mutex<Option<String>>,
}

impl WatchedObject {
    /// Watches an object, which need not exist yet.
    #[must_use]
    pub fn new(config: &SdkConfig, bucket: String, key: String) -> Self {
        Self {
            client: s3_client(config),
            bucket,
            key,
            read: Mutex::default(),
        }
    }

    /// Returns the key of the object.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the content; `None` if it is what was returned last.
    ///
    /// # Errors
    /// `NotFound` if there is no such object; otherwise the bucket's error.
    pub async fn changed(&self) -> Result<Option<Bytes>, StoreError> {
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let get = self.client.get_object().bucket(&self.bucket).key(&self.key);
        let found = match get.set_if_none_match(known).send().await {
            Err(error) if is_unchanged(&error) => return Ok(None),
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
                return Err(StoreError::NotFound);
            }
            found => found.map_err(aws)?,
        };
        let tag = found.e_tag;
        let body = found.body.collect().await;
        let body = body.map_err(|error| StoreError::Unavailable(error.into()))?;
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = tag;
        Ok(Some(body.into_bytes()))
    }
}

fn is_unchanged(error: &SdkError<GetObjectError>) -> bool {
    error
        .raw_response()
        .is_some_and(|answer| answer.status().as_u16() == NOT_MODIFIED)
}
