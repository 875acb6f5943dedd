//! What each route needs.

use callboard_core::access::Action;
use callboard_core::audit::Deed;

/// What a request must show to reach a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Need {
    /// Nothing: everybody may ask.
    Nothing,
    /// A caller, whatever it may do; and what the audit log calls what the request does.
    Caller(Deed),
    /// A scope that includes the action; and likewise.
    Scope(Action, Deed),
}

/// What each route needs. The handlers look at what scopes are bound to.
pub(crate) const ROUTES: &[(&str, &str, Need)] = &[
    ("GET", "/api/v1/jobs", Need::Scope(Action::JobsRead, Deed::JobRead)),
    ("POST", "/api/v1/jobs", Need::Scope(Action::JobsRun, Deed::JobSubmit)),
    (
        "POST",
        "/api/v1/jobs/redrive",
        Need::Scope(Action::JobsRun, Deed::JobsRedrive),
    ),
    (
        "GET",
        "/api/v1/jobs/{job_id}",
        Need::Scope(Action::JobsRead, Deed::JobRead),
    ),
    (
        "DELETE",
        "/api/v1/jobs/{job_id}",
        Need::Scope(Action::JobsCancel, Deed::JobCancel),
    ),
    (
        "POST",
        "/api/v1/jobs/{job_id}/cancel",
        Need::Scope(Action::JobsCancel, Deed::JobCancel),
    ),
    (
        "POST",
        "/api/v1/jobs/{job_id}/redrive",
        Need::Scope(Action::JobsRun, Deed::JobRedrive),
    ),
    (
        "POST",
        "/api/v1/jobs/{job_id}/relaunch",
        Need::Scope(Action::JobsRun, Deed::JobRelaunch),
    ),
    (
        "GET",
        "/api/v1/jobs/{job_id}/logs",
        Need::Scope(Action::JobsRead, Deed::JobRead),
    ),
    (
        "GET",
        "/api/v1/jobs/{job_id}/events",
        Need::Scope(Action::JobsRead, Deed::JobRead),
    ),
    (
        "GET",
        "/api/v1/jobs/{job_id}/hosts",
        Need::Scope(Action::JobsRead, Deed::JobRead),
    ),
    (
        "GET",
        "/api/v1/jobs/{job_id}/results",
        Need::Scope(Action::JobsRead, Deed::JobRead),
    ),
    (
        "GET",
        "/api/v1/jobs/{job_id}/stream",
        Need::Scope(Action::JobsRead, Deed::JobRead),
    ),
    (
        "GET",
        "/api/v1/credentials",
        Need::Scope(Action::CredentialsRead, Deed::CredentialRead),
    ),
    (
        "POST",
        "/api/v1/credentials",
        Need::Scope(Action::CredentialsWrite, Deed::CredentialCreate),
    ),
    (
        "GET",
        "/api/v1/credentials/{name}",
        Need::Scope(Action::CredentialsRead, Deed::CredentialRead),
    ),
    (
        "PUT",
        "/api/v1/credentials/{name}",
        Need::Scope(Action::CredentialsWrite, Deed::CredentialReplace),
    ),
    (
        "DELETE",
        "/api/v1/credentials/{name}",
        Need::Scope(Action::CredentialsWrite, Deed::CredentialDelete),
    ),
    ("GET", "/api/v1/keys", Need::Scope(Action::KeysRead, Deed::KeyRead)),
    ("POST", "/api/v1/keys", Need::Scope(Action::KeysWrite, Deed::KeyCreate)),
    (
        "GET",
        "/api/v1/keys/{key_id}",
        Need::Scope(Action::KeysRead, Deed::KeyRead),
    ),
    (
        "DELETE",
        "/api/v1/keys/{key_id}",
        Need::Scope(Action::KeysWrite, Deed::KeyRevoke),
    ),
    (
        "POST",
        "/api/v1/keys/{key_id}/rotate",
        Need::Scope(Action::KeysWrite, Deed::KeyRotate),
    ),
    ("GET", "/api/v1/session", Need::Caller(Deed::SessionRead)),
    ("POST", "/api/v1/session", Need::Caller(Deed::SessionBegin)),
    ("DELETE", "/api/v1/session", Need::Caller(Deed::SessionEnd)),
    ("GET", "/api/v1/audit", Need::Scope(Action::AuditRead, Deed::AuditRead)),
    (
        "GET",
        "/api/v1/services",
        Need::Scope(Action::ServicesRead, Deed::ServiceRead),
    ),
    (
        "GET",
        "/api/v1/services/{service}",
        Need::Scope(Action::ServicesRead, Deed::ServiceRead),
    ),
    (
        "GET",
        "/api/v1/services/{service}/operations/{operation}",
        Need::Scope(Action::ServicesRead, Deed::ServiceRead),
    ),
    (
        "POST",
        "/api/v1/services/{service}/operations/{operation}/test",
        Need::Scope(Action::JobsRun, Deed::OperationTest),
    ),
    (
        "GET",
        "/api/v1/stats/performance",
        Need::Scope(Action::JobsRead, Deed::JobRead),
    ),
    (
        "GET",
        "/api/v1/stats/resources",
        Need::Scope(Action::JobsRead, Deed::JobRead),
    ),
    (
        "GET",
        "/api/v1/stats/failures",
        Need::Scope(Action::JobsRead, Deed::JobRead),
    ),
    ("GET", "/api/v1/quotas", Need::Scope(Action::JobsRead, Deed::JobRead)),
    ("GET", "/health/live", Need::Nothing),
    ("GET", "/health/ready", Need::Nothing),
    ("GET", "/openapi.json", Need::Nothing),
];

/// Returns what a route needs. A method that it does not have is answered by the router.
pub(crate) fn need_of_route(method: &str, path: &str) -> Need {
    let known = ROUTES
        .iter()
        .find(|(known, route, _)| *known == method && *route == path);
    known.map_or(Need::Nothing, |(_, _, need)| *need)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_table_has_every_route_and_no_other() -> Result<(), serde_json::Error> {
        let document: Value = serde_json::from_str(include_str!("../../../../infra/openapi.json"))?;
        let documented: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .into_iter()
            .flatten()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().into_iter().flat_map(|methods| methods.keys());
                methods.map(move |method| (method.to_uppercase(), path.clone()))
            })
            .collect();
        let known = ROUTES
            .iter()
            .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()));
        assert_eq!(known.collect::<BTreeSet<_>>(), documented);
        Ok(())
    }
}
