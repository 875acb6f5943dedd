//! Copies a sealed stream into one object, in constant memory.

use std::ops::Range;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use callboard_core::base::store_error::StoreError;
use callboard_core::output::Stream;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::error::aws;
use crate::log_store::bucket::Bucket;
use crate::log_store::key::{Attempt, Object};
use crate::log_store::listing::Listing;

/// S3 requires at least 5 MiB, and a stream has at most 10,000 parts.
const PART_BYTES: u64 = 8 * 1024 * 1024;
const PARTS_AT_ONCE: usize = 3;

/// Writes the object; an existing one is replaced.
pub(super) async fn write(
    bucket: &Bucket,
    attempt: Attempt,
    listing: &Listing,
    stream: Stream,
) -> Result<(), StoreError> {
    let copy = Copy {
        bucket,
        attempt,
        listing,
        stream,
    };
    copy.write().await
}

struct Copy<'a> {
    bucket: &'a Bucket,
    attempt: Attempt,
    listing: &'a Listing,
    stream: Stream,
}

impl Copy<'_> {
    async fn write(&self) -> Result<(), StoreError> {
        let size = self.listing.size(self.stream);
        if size > PART_BYTES {
            return self.upload(size).await;
        }
        let content = self.read(0..size).await?;
        self.bucket.put(self.attempt, self.object(), content).await
    }

    /// Uploads the stream in parts. The bucket's lifecycle deletes what remains of an interrupted upload.
    async fn upload(&self, size: u64) -> Result<(), StoreError> {
        let create = self.bucket.client.create_multipart_upload();
        let create = create
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .content_type(self.object().content_type());
        let created = create.bucket(&self.bucket.name).key(self.key()).send().await;
        let id = created
            .map_err(aws)?
            .upload_id
            .ok_or_else(|| StoreError::Unavailable("an upload without an id".into()))?;
        let uploaded = self.upload_parts(&id, size).await;
        if uploaded.is_err() {
            let abort = self.bucket.client.abort_multipart_upload().upload_id(id);
            drop(abort.bucket(&self.bucket.name).key(self.key()).send().await);
        }
        uploaded
    }

    async fn upload_parts(&self, id: &str, size: u64) -> Result<(), StoreError> {
        let starts = (0..size).step_by(PART_BYTES as usize);
        let parts = (1..).zip(starts).map(|(number, start)| {
            let range = start..size.min(start + PART_BYTES);
            self.upload_part(id, number, range)
        });
        let parts = stream::iter(parts).buffered(PARTS_AT_ONCE).try_collect().await?;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.bucket.client.complete_multipart_upload().upload_id(id);
        let complete = complete.bucket(&self.bucket.name).key(self.key());
        let completed = complete.multipart_upload(parts).send().await;
        completed.map(drop).map_err(again)
    }

    async fn upload_part(&self, id: &str, number: i32, range: Range<u64>) -> Result<CompletedPart, StoreError> {
        let content = self.read(range).await?;
        let upload = self.bucket.client.upload_part().upload_id(id).part_number(number);
        let upload = upload.bucket(&self.bucket.name).key(self.key());
        let upload = upload.checksum_algorithm(ChecksumAlgorithm::Crc32).body(content.into());
        let uploaded = upload.send().await.map_err(again)?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(uploaded.e_tag)
            .set_checksum_crc32(uploaded.checksum_crc32)
            .build())
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.bucket.read(self.attempt, self.listing, self.stream, &range).await
    }

    fn object(&self) -> Object {
        Object::Whole(self.stream)
    }

    fn key(&self) -> String {
        self.attempt.key(self.object())
    }
}

/// Translates an error of an upload. An upload that is gone may have been completed by a request whose answer was lost;
/// then another upload does no harm.
fn again<E>(error: SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    if error.code() == Some("NoSuchUpload") {
        StoreError::Unavailable(Box::new(error))
    } else {
        aws(error)
    }
}
