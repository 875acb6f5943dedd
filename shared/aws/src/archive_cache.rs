//! [`ArchiveCache`] on S3: one object `archives/KEY` per archive. The bucket's lifecycle removes them.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::run::{Archive, ArchiveCache};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::config::s3_client_for_files;
use crate::error::aws;

/// Keeps archives in a bucket.
#[derive(Clone, Debug)]
pub struct S3ArchiveCache {
    client: Client,
    bucket: String,
}

impl S3ArchiveCache {
    /// Uses a bucket.
    #[must_use]
    pub fn new(config: &SdkConfig, bucket: String) -> Self {
        let client = s3_client_for_files(config);
        Self { client, bucket }
    }
}

#[async_trait]
impl ArchiveCache for S3ArchiveCache {
    async fn get(&self, key: &str, folder: &Path) -> Result<Option<Archive>, StoreError> {
        let get = self.client.get_object().bucket(&self.bucket).key(object(key)?);
        let found = match get.send().await {
            Ok(found) => found,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => return Ok(None),
            Err(error) => return Err(aws(error)),
        };
        let made_at = found.last_modified().and_then(|time| time.to_millis().ok());
        let path = folder.join(Uuid::new_v4().to_string());
        if let Err(error) = write(found, &path).await {
            drop(tokio::fs::remove_file(&path).await);
            return Err(StoreError::Unavailable(Box::new(error)));
        }
        let made_at = Timestamp::from_millis(made_at.unwrap_or_default());
        Ok(Some(Archive { path, made_at }))
    }

    async fn put(&self, key: &str, file: &Path) -> Result<(), StoreError> {
        let content = ByteStream::from_path(file).await;
        let content = content.map_err(|error| StoreError::Unavailable(error.into()))?;
        let put = self.client.put_object().bucket(&self.bucket).key(object(key)?);
        put.body(content).send().await.map(drop).map_err(aws)
    }
}

fn object(key: &str) -> Result<String, StoreError> {
    let good = |part: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(allowed)
    };
    if key.split('/').all(good) {
        Ok(format!("archives/{key}"))
    } else {
        Err(StoreError::Rejected(format!("{key:?} is no key of an archive").into()))
    }
}

async fn write(mut found: GetObjectOutput, path: &PathBuf) -> std::io::Result<()> {
    let mut file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .await?;
    while let Some(bytes) = found.body.try_next().await? {
        file.write_all(&bytes).await?;
    }
    file.flush().await
}
