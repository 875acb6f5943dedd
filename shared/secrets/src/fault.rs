//! A fault as part of a sentence, until it is known which secret it is about.

use callboard_core::base::store_error::BoxError;
use callboard_core::credential::SecretError;
use callboard_http::FetchError;
use callboard_identity::SignError;

/// A fault, in words that begin with a small letter and have no full stop; never contains a secret.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) what: String,
    source: Option<BoxError>,
}

impl Fault {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            source: None,
        }
    }

    pub(crate) fn caused(what: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self {
            what: what.into(),
            source: Some(source.into()),
        }
    }

    /// Adds what the fault is about, as in `the secret "x" could not be read`.
    pub(crate) fn about(self, subject: &str) -> Self {
        Self {
            what: format!("{subject}: {}", self.what),
            source: self.source,
        }
    }
}

impl From<FetchError> for Fault {
    fn from(error: FetchError) -> Self {
        let what = error.to_string();
        match error {
            FetchError::Unreachable { source, .. } | FetchError::Client { source } => Self::caused(what, source),
            _ => Self::new(what),
        }
    }
}

impl From<SignError> for Fault {
    fn from(error: SignError) -> Self {
        let what = error.to_string();
        match error {
            SignError::Request(source) => Self::caused(what, source),
            _ => Self::new(what),
        }
    }
}

impl From<Fault> for SecretError {
    fn from(fault: Fault) -> Self {
        let mut letters = fault.what.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        let message = first.into_iter().chain(letters).chain(['.']).collect();
        Self {
            message,
            source: fault.source,
        }
    }
}
