//! Query parameters, read as strictly as bodies: an unknown, repeated or senseless one is refused.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;

use crate::problem::Problem;

/// The parameters of one request, taken out one by one.
pub(crate) struct Params {
    given: BTreeMap<String, String>,
    errors: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let unreadable = |_| Problem::new(StatusCode::BAD_REQUEST, "The query string cannot be read.");
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(unreadable)?;
        let mut params = Self {
            given: BTreeMap::new(),
            errors: Vec::new(),
            known: Vec::new(),
        };
        for (name, value) in pairs {
            if params.given.insert(name.clone(), value).is_some() {
                params.errors.push((name, "is given twice".to_owned()));
            }
        }
        Ok(params)
    }
}

impl Params {
    /// Takes a text.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        self.given.remove(name)
    }

    /// Takes `true` or `false`; absent is false.
    pub(crate) fn boolean(&mut self, name: &'static str) -> bool {
        match self.text(name).as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                self.refuse(name, format!("must be true or false, not {other:?}"));
                false
            }
        }
    }

    /// Takes a whole number within bounds, both included.
    pub(crate) fn number(&mut self, name: &'static str, min: u64, max: u64, absent: u64) -> u64 {
        let Some(text) = self.text(name) else { return absent };
        match text.parse() {
            Ok(number) if (min..=max).contains(&number) => number,
            _ => {
                self.refuse(
                    name,
                    format!("must be a whole number from {min} to {max}, not {text:?}"),
                );
                absent
            }
        }
    }

    /// Notes that a parameter is wrong.
    pub(crate) fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        self.errors.push((name.to_owned(), detail.into()));
    }

    /// Ends the reading: what was not taken is not known.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        let known = if self.known.is_empty() {
            "none".to_owned()
        } else {
            self.known.join(", ")
        };
        for name in std::mem::take(&mut self.given).into_keys() {
            self.refuse(&name, format!("is not known here; known are: {known}"));
        }
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Problem::parameters(StatusCode::UNPROCESSABLE_ENTITY, self.errors))
        }
    }
}
