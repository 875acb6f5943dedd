//! What came of a call.

use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::Outcome;
use callboard_core::redact::Redactor;
use callboard_core::request::Reason;
use callboard_http::{CallError, Kept};
use callboard_kind_service::attempt::Tried;
use callboard_kind_service::detail::{Detail, HTTP_STATUS, OUTPUT_INVALID, SERVICE_UNREACHABLE, TRANSIENT, UNDONE};
use callboard_kind_service::output;
use serde_json::Value;

/// Why a call has no answer.
pub(crate) enum Untried {
    Call(CallError),
    /// The call cannot be made as the request and the registry have it.
    Invalid(String),
    /// It cannot be shown who calls.
    Unauthorized(String),
    Store(StoreError),
}

impl Untried {
    /// Makes the result of a try.
    ///
    /// # Errors
    /// The log store's.
    pub(crate) fn tried(self) -> Result<Tried, StoreError> {
        Ok(match self {
            Self::Store(error) => return Err(error),
            Self::Call(error) => {
                let told = causes(&error).to_string();
                Tried::failed(SERVICE_UNREACHABLE, told, error.sent, !error.is_refused())
            }
            Self::Invalid(told) => Tried::failed(Reason::REQUEST_INVALID, told, false, false),
            Self::Unauthorized(told) => Tried::failed(Reason::CREDENTIAL_UNAVAILABLE, told, false, false),
        })
    }
}

/// Reads what a function has returned: JSON where it is some, else a text.
pub(crate) fn returned(kept: &Kept, redactor: &Redactor) -> Value {
    let bytes = &kept.beginning.bytes;
    let parsed = kept.is_whole().then(|| output::parse(bytes, redactor).ok()).flatten();
    match parsed {
        Some(value) => value,
        None if bytes.is_empty() => Value::Null,
        None => String::from_utf8_lossy(bytes).into(),
    }
}

/// Makes the result of a function that has ended, or whose answer broke off.
pub(crate) fn ended(kept: Kept, status: u16, schema: Option<&Value>, redactor: &Redactor) -> Tried {
    let answer = returned(&kept, redactor);
    let outcome = match (kept.broken, schema) {
        (Some(broken), _) => Outcome::failed(SERVICE_UNREACHABLE, broken),
        (None, Some(schema)) => match output::fault(schema, &answer, kept.beginning.truncated) {
            Some(fault) => Outcome::failed(OUTPUT_INVALID, fault),
            None => Outcome::successful(),
        },
        (None, None) => Outcome::successful(),
    };
    Tried {
        transient: outcome.reason == Some(SERVICE_UNREACHABLE),
        detail: Detail {
            output_truncated: kept.beginning.truncated || outcome.reason == Some(SERVICE_UNREACHABLE),
            output: Some(answer),
            status_code: Some(status),
            ..Detail::default()
        },
        outcome,
        done: true,
        asked: None,
    }
}

/// Makes the result of a call that a cloud or a function has answered with a status that is no success.
pub(crate) fn refused(status: u16, told: String, asked: Option<Duration>) -> Tried {
    Tried {
        detail: Detail {
            status_code: Some(status),
            ..Detail::default()
        },
        asked,
        ..Tried::failed(
            HTTP_STATUS,
            told,
            !UNDONE.contains(&status),
            TRANSIENT.contains(&status),
        )
    }
}
