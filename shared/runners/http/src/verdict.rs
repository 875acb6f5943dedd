//! What an answer means.

use callboard_core::base::causes::causes;
use callboard_core::base::store_error::StoreError;
use callboard_core::job::Outcome;
use callboard_core::request::Reason;
use callboard_http::CallError;
use callboard_kind_service::attempt::Tried;
use callboard_kind_service::config::HttpConfig;
use callboard_kind_service::detail::{Detail, HTTP_STATUS, OUTPUT_INVALID, SERVICE_UNREACHABLE, TRANSIENT, UNDONE};
use callboard_kind_service::output;
use callboard_kind_service::request::Call;

use crate::answer::Answered;

/// Why there is no answer.
pub(crate) enum Unanswered {
    Call(CallError),
    Told(String),
    /// It cannot be shown who sends the request, so it was not sent, or the service has refused it.
    Unauthorized(String),
    Store(StoreError),
}

/// Reads an answer.
pub(crate) fn answered(mut answered: Answered, config: &HttpConfig, call: &Call) -> Tried {
    if let Some(broken) = answered.broken.take() {
        return broken_off(answered, broken);
    }
    let status = answered.status;
    let mut successful = config.success.status.iter();
    let is_success = successful.any(|(first, last)| (*first..=*last).contains(&status));
    let fault = if is_success {
        fault_of(&answered, config, call).map(|fault| (OUTPUT_INVALID, fault))
    } else {
        Some((HTTP_STATUS, format!("the service answered with status {status}")))
    };
    Tried {
        outcome: match fault {
            Some((reason, error)) => Outcome::failed(reason, error),
            None => Outcome::successful(),
        },
        transient: !is_success && TRANSIENT.contains(&status),
        done: !UNDONE.contains(&status),
        asked: answered.retry_after,
        detail: detail(answered),
    }
}

/// Reads an answer that broke off.
fn broken_off(answered: Answered, broken: String) -> Tried {
    let done = !UNDONE.contains(&answered.status);
    Tried {
        asked: answered.retry_after,
        detail: Detail {
            output_truncated: true,
            ..detail(answered)
        },
        ..Tried::failed(SERVICE_UNREACHABLE, broken, done, true)
    }
}

fn detail(answered: Answered) -> Detail {
    Detail {
        output: Some(answered.output),
        output_truncated: answered.truncated,
        status_code: Some(answered.status),
        ..Detail::default()
    }
}

/// Reads why there is no answer.
///
/// # Errors
/// The log store's.
pub(crate) fn unanswered(unanswered: Unanswered) -> Result<Tried, StoreError> {
    Ok(match unanswered {
        Unanswered::Store(error) => return Err(error),
        Unanswered::Call(error) => {
            let told = causes(&error).to_string();
            Tried::failed(SERVICE_UNREACHABLE, told, error.sent, !error.is_refused())
        }
        Unanswered::Told(told) => Tried::failed(SERVICE_UNREACHABLE, told, true, false),
        Unanswered::Unauthorized(told) => Tried::failed(Reason::CREDENTIAL_UNAVAILABLE, told, false, false),
    })
}

/// Returns what is wrong with the output of a call that was successful.
fn fault_of(answered: &Answered, config: &HttpConfig, call: &Call) -> Option<String> {
    let schemas = [config.success.body.as_ref(), call.output_schema.as_ref()];
    schemas
        .into_iter()
        .flatten()
        .find_map(|schema| output::fault(schema, &answered.output, answered.truncated))
}
