//! The S3 calls that the log store makes.

use std::ops::Range;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::{Bytes, BytesMut};
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::output::Stream;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::error::aws;
use crate::log_store::key::{self, Attempt, Object};
use crate::log_store::listing::{Listing, Piece};
use crate::object;

/// How many objects are read at the same time.
const READS_AT_ONCE: usize = 16;

/// A bucket and how to reach it.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) client: Client,
    pub(super) name: String,
}

impl Bucket {
    /// Writes an object.
    pub(super) async fn put(&self, attempt: Attempt, object: Object, content: Bytes) -> Result<(), StoreError> {
        let put = self.client.put_object().bucket(&self.name).key(attempt.key(object));
        let put = put.content_type(object.content_type()).body(content.into());
        put.send().await.map(drop).map_err(aws)
    }

    /// Writes an object unless it exists.
    pub(super) async fn put_once(&self, attempt: Attempt, object: Object, content: Bytes) -> Result<(), StoreError> {
        let put = self.client.put_object().bucket(&self.name).key(attempt.key(object));
        let put = put.content_type(object.content_type()).body(content.into());
        match put.if_none_match("*").send().await {
            Err(error) if error.code() == Some("PreconditionFailed") => Ok(()),
            put => put.map(drop).map_err(aws),
        }
    }

    /// Reads an object; `None` if it does not exist.
    pub(super) async fn get(&self, attempt: Attempt, object: Object) -> Result<Option<Bytes>, StoreError> {
        let get = self.client.get_object().bucket(&self.name).key(attempt.key(object));
        object::read(get).await
    }

    /// Reads a range of a stream, using a listing.
    pub(super) async fn read(
        &self,
        attempt: Attempt,
        listing: &Listing,
        stream: Stream,
        range: &Range<u64>,
    ) -> Result<Bytes, StoreError> {
        let pieces = listing.locate(stream, range)?;
        let reads = pieces.into_iter().map(|piece| self.get_piece(attempt, piece));
        let joined =
            stream::iter(reads)
                .buffered(READS_AT_ONCE)
                .try_fold(BytesMut::new(), async |mut joined, bytes| {
                    joined.extend_from_slice(&bytes);
                    Ok(joined)
                });
        joined.await.map(BytesMut::freeze)
    }

    /// Lists all objects of an attempt, in the order of their names.
    pub(super) async fn list(&self, attempt: Attempt) -> Result<Listing, StoreError> {
        let prefix = attempt.prefix();
        let list = self.client.list_objects_v2().bucket(&self.name).prefix(&prefix);
        let mut pages = list.into_paginator().send();
        let mut listing = Listing::default();
        while let Some(page) = pages.next().await {
            for found in page.map_err(aws)?.contents() {
                let name = found.key().and_then(|key| key.strip_prefix(&prefix));
                if let Some(object) = name.and_then(Object::parse) {
                    listing.add(object, found.size().unwrap_or(0).unsigned_abs());
                }
            }
        }
        Ok(listing)
    }

    /// Returns an object's size in bytes; `None` if it does not exist.
    pub(super) async fn size(&self, attempt: Attempt, object: Object) -> Result<Option<u64>, StoreError> {
        let head = self.client.head_object().bucket(&self.name).key(attempt.key(object));
        match head.send().await {
            Ok(found) => Ok(found.content_length().map(i64::unsigned_abs)),
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
            Err(error) => Err(aws(error)),
        }
    }

    /// Returns a URL from which anybody can read an object.
    pub(super) async fn presign(
        &self,
        attempt: Attempt,
        object: Object,
        validity: PresigningConfig,
    ) -> Result<String, StoreError> {
        let get = self.client.get_object().bucket(&self.name).key(attempt.key(object));
        let request = get.presigned(validity).await.map_err(aws)?;
        Ok(request.uri().to_owned())
    }

    /// Deletes all objects of a job, a page at a time.
    pub(super) async fn remove(&self, job: JobId) -> Result<(), StoreError> {
        let list = self.client.list_objects_v2().bucket(&self.name);
        let mut pages = list.prefix(key::prefix(job)).into_paginator().send();
        while let Some(page) = pages.next().await {
            let found = page.map_err(aws)?.contents.unwrap_or_default();
            let keys = found.into_iter().filter_map(|object| object.key);
            self.delete(keys.collect()).await?;
        }
        Ok(())
    }

    async fn delete(&self, keys: Vec<String>) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let objects = keys.into_iter().map(|key| ObjectIdentifier::builder().key(key).build());
        let objects: Result<Vec<_>, _> = objects.collect();
        let delete = objects.and_then(|objects| Delete::builder().set_objects(Some(objects)).quiet(true).build());
        let delete = delete.map_err(|error| StoreError::Rejected(error.into()))?;
        let request = self.client.delete_objects().bucket(&self.name).delete(delete);
        let failed = request.send().await.map_err(aws)?.errors.unwrap_or_default();
        match failed.first() {
            None => Ok(()),
            Some(error) => Err(StoreError::Unavailable(format!("{error:?}").into())),
        }
    }

    async fn get_piece(&self, attempt: Attempt, Piece { object, range }: Piece) -> Result<Bytes, StoreError> {
        let get = self.client.get_object().bucket(&self.name).key(attempt.key(object));
        let get = get.range(format!("bytes={}-{}", range.start, range.end - 1));
        object::read(get).await?.ok_or(StoreError::NotFound)
    }
}
