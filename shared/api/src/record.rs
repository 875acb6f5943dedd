//! A job's record as an answer. The record of a job that has ended never changes, and has an `ETag`.

use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::job::Job;
use callboard_core::output::LogStore;
use callboard_core::request::Kinds;
use sha2::{Digest, Sha256};

use crate::links::Links;
use crate::wire::JobView;

/// A record, ready to be sent.
pub(crate) struct Record {
    job: JobId,
    body: Bytes,
    etag: Option<HeaderValue>,
}

impl Record {
    /// Reads the record of a job as it is `now`.
    pub(crate) async fn read(kinds: &Kinds, logs: &dyn LogStore, job: Job, now: Timestamp) -> Result<Self, StoreError> {
        let (id, ended) = (job.id, job.state.status.is_final());
        let view = JobView::read(kinds, logs, job, now).await?;
        let body = serde_json::to_vec(&view).map_err(|error| StoreError::Corrupt(Box::new(error)))?;
        Ok(Self {
            job: id,
            etag: ended.then(|| etag(&body)).flatten(),
            body: body.into(),
        })
    }

    /// Answers with 304 if the client already has this record, and else with the record.
    pub(crate) fn unless_known(self, headers: &HeaderMap) -> Response {
        match self.etag {
            Some(etag) if is_known(headers, &etag) => {
                (StatusCode::NOT_MODIFIED, Links::of_job(self.job), [(ETAG, etag)]).into_response()
            }
            _ => self.into_response(),
        }
    }
}

impl IntoResponse for Record {
    fn into_response(self) -> Response {
        let json = HeaderValue::from_static("application/json");
        let headers = [(CONTENT_TYPE, json)].into_iter();
        let headers: HeaderMap = headers.chain(self.etag.map(|etag| (ETAG, etag))).collect();
        (Links::of_job(self.job), headers, self.body).into_response()
    }
}

fn etag(body: &[u8]) -> Option<HeaderValue> {
    let digest: String = Sha256::digest(body)[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    HeaderValue::from_str(&format!("\"{digest}\"")).ok()
}

/// Reads `If-None-Match` (RFC 9110): a list of tags, weak or strong, or `*`.
fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let given = headers.get_all(IF_NONE_MATCH).iter();
    let mut tags = given
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','));
    tags.any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes()
    })
}
