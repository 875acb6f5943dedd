//! Values too large for an item: they are in the bucket, and the item refers to them.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use callboard_core::base::store_error::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::attributes::corrupt;
use crate::error::aws;
use crate::object;
use crate::stored::Stored;

/// The largest value that stays in the item; larger ones go to the bucket. DynamoDB charges one unit per KB of the
/// whole item for each of the five writes in a job's life and for each heartbeat; above this size, one PUT and the GETs
/// of the readers cost less.
const INLINE_BYTES: usize = 4096;

/// The bucket, as the job store uses it.
#[derive(Clone, Debug)]
pub(crate) struct Bodies {
    pub(crate) client: Client,
    pub(crate) bucket: String,
}

impl Bodies {
    /// Stores a value: in the item if it is small, otherwise as the object `key`.
    pub(crate) async fn store(&self, key: String, value: &impl Serialize) -> Result<Stored, StoreError> {
        let json = serde_json::to_string(value).map_err(corrupt)?;
        if json.len() <= INLINE_BYTES {
            return Ok(Stored::Inline(json));
        }
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(&key)
            .content_type("application/json")
            .body(ByteStream::from(json.into_bytes()))
            .send()
            .await
            .map_err(aws)?;
        Ok(Stored::Object(key))
    }

    /// Reads a value from the item or the bucket.
    pub(crate) async fn load<T: DeserializeOwned>(&self, stored: Stored) -> Result<T, StoreError> {
        match stored {
            Stored::Inline(json) => serde_json::from_str(&json).map_err(corrupt),
            Stored::Object(key) => {
                let get = self.client.get_object().bucket(&self.bucket).key(key);
                let body = object::read(get).await?.ok_or(StoreError::NotFound)?;
                serde_json::from_slice(&body).map_err(corrupt)
            }
        }
    }
}
