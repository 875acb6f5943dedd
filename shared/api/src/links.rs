//! `Link` headers (RFC 8288), which point to related resources.

use axum::http::HeaderValue;
use axum::http::header::LINK;
use axum::response::{IntoResponseParts, ResponseParts};
use callboard_core::base::id::JobId;
use callboard_core::job::List;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All characters except the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The links of one answer.
#[derive(Debug, Default)]
pub(crate) struct Links(Vec<(&'static str, String)>);

impl Links {
    /// Returns the links for a job's record, and for every other answer about the job.
    pub(crate) fn of_job(id: JobId) -> Self {
        let record = record(id);
        let (logs, events) = (format!("{record}/logs"), format!("{record}/events"));
        Self(vec![("self", record), ("logs", logs), ("events", events)])
    }

    /// Returns the links of a page: to itself, and to the next page if there is one.
    pub(crate) fn of_page(path: &str, page: &Query, next: Option<&Query>) -> Self {
        let mut links = vec![("self", page.after(path))];
        links.extend(next.map(|next| ("next", next.after(path))));
        Self(links)
    }

    /// Returns the links of a page of a list whose places are texts, and the cursor of the next page. `same` are the parameters of all
    /// pages; this one follows the place `after`, and others follow `last`.
    pub(crate) fn of_texts(
        path: &str,
        same: &Query,
        list: &List<'_>,
        after: Option<&str>,
        last: Option<&str>,
    ) -> (Self, Option<String>) {
        let cursor = |place: &str| list.cursor(place.as_bytes());
        let page = |cursor: &String| same.clone().with("cursor", cursor);
        let (this, next) = (after.map(cursor), last.map(cursor));
        let this = this.as_ref().map_or_else(|| same.clone(), page);
        (Self::of_page(path, &this, next.as_ref().map(page).as_ref()), next)
    }
}

impl IntoResponseParts for Links {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut answer: ResponseParts) -> Result<ResponseParts, Self::Error> {
        let links = self
            .0
            .iter()
            .map(|(relation, target)| format!("<{target}>; rel=\"{relation}\""));
        let links = links.collect::<Vec<_>>().join(", ");
        if let Ok(value) = HeaderValue::from_str(&links) {
            answer.headers_mut().insert(LINK, value);
        }
        Ok(answer)
    }
}

/// Returns the path of a job's record.
pub(crate) fn record(id: JobId) -> String {
    format!("/api/v1/jobs/{id}")
}

/// A query string that is being built.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(String);

impl Query {
    /// Adds a parameter.
    pub(crate) fn with(mut self, name: &str, value: &impl ToString) -> Self {
        let value = value.to_string();
        let mark = if self.0.is_empty() { '?' } else { '&' };
        let value = utf8_percent_encode(&value, RESERVED);
        self.0.push_str(&format!("{mark}{name}={value}"));
        self
    }

    /// Adds a parameter if there is a value.
    pub(crate) fn with_some(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, &value),
            None => self,
        }
    }

    fn after(&self, path: &str) -> String {
        format!("{path}{}", self.0)
    }
}
