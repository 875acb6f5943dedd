//! Repeats a job: on all of its hosts, or on those where it did not come to its end.

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::request::{Again, Told};

use crate::detail::Detail;
use crate::options::MAX_LIMIT_BYTES;
use crate::request::AnsibleRequest;
use crate::retry::limit_left;
use crate::stats::limit_to;
use crate::variables::parse_extra_vars;

/// What is said where the hosts are not known.
const NOT_KNOWN: &str =
    "It is not known of every host whether the job came to its end there: it is repeated on all of its hosts.";

/// Makes the request of a job that repeats another.
pub(crate) fn again(told: Told<'_>, changes: &mut Fields<'_>, faults: &mut Faults) -> Again {
    let failed = match changes.get("hosts") {
        Some(_) => changes.variant("hosts", &["all", "failed"], faults) == Some("failed"),
        None => false,
    };
    let limit = changes.line("limit", MAX_LIMIT_BYTES, faults);
    let check = changes.get("check").map(|_| changes.boolean("check", faults));
    let extra_vars = parse_extra_vars(changes, faults);
    let (limit, note) = match (failed, limit) {
        (true, Some(_)) => {
            faults.add("/limit", "cannot be combined with the hosts that failed");
            (None, None)
        }
        (true, None) => unfinished(told, faults),
        (false, limit) => (limit.map(str::to_owned), None),
    };
    let Ok(mut request) = AnsibleRequest::of(told.request) else {
        faults.add("", "cannot be made: a newer release has recorded the job");
        return Again::default();
    };
    request.extra_vars.extend(extra_vars);
    request.options.limit = limit.or(request.options.limit);
    request.options.check = check.unwrap_or(request.options.check);
    let body = request.into_work();
    Again {
        body,
        note,
        ..Again::default()
    }
}

/// Returns a limit to the hosts where the job did not come to its end; otherwise says why there is none.
fn unfinished(told: Told<'_>, faults: &mut Faults) -> (Option<String>, Option<String>) {
    let Some(detail) = told.detail else {
        faults.add("/hosts", "cannot be those that failed before the job has ended");
        return (None, None);
    };
    let detail: Detail = detail.read().unwrap_or_default();
    // a job that was canceled in the pause before an attempt knows where that would have run
    let left = told.left.and_then(limit_left).flatten();
    let limit = match detail.unfinished {
        Some(hosts) if hosts.is_empty() => {
            let none = "cannot be those that failed: none failed, was unreachable or was not reached";
            faults.add("/hosts", none);
            return (None, None);
        }
        Some(hosts) => limit_to(&hosts),
        None => match left {
            Some(limit) => limit,
            None => return (None, Some(NOT_KNOWN.to_owned())),
        },
    };
    if limit.len() > MAX_LIMIT_BYTES {
        let long = format!("cannot be those that failed: their names have more than {MAX_LIMIT_BYTES} bytes");
        faults.add("/hosts", long);
        return (None, None);
    }
    (Some(limit), None)
}
