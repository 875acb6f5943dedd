//! What each route needs.

use callboard_core::access::Action;

/// What a request must show to reach a route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Need {
    /// Nothing: everybody may ask.
    Nothing,
    /// A caller, whatever it may do.
    Caller,
    /// A scope that includes the action.
    Scope(Action),
}

/// What each route needs. The handlers look at what scopes are bound to.
pub(crate) const ROUTES: &[(&str, &str, Need)] = &[
    ("GET", "/api/v1/jobs", Need::Scope(Action::JobsRead)),
    ("POST", "/api/v1/jobs", Need::Scope(Action::JobsRun)),
    ("POST", "/api/v1/jobs/redrive", Need::Scope(Action::JobsRun)),
    ("GET", "/api/v1/jobs/{job_id}", Need::Scope(Action::JobsRead)),
    ("DELETE", "/api/v1/jobs/{job_id}", Need::Scope(Action::JobsCancel)),
    ("POST", "/api/v1/jobs/{job_id}/cancel", Need::Scope(Action::JobsCancel)),
    ("POST", "/api/v1/jobs/{job_id}/redrive", Need::Scope(Action::JobsRun)),
    ("GET", "/api/v1/jobs/{job_id}/logs", Need::Scope(Action::JobsRead)),
    ("GET", "/api/v1/jobs/{job_id}/events", Need::Scope(Action::JobsRead)),
    ("GET", "/api/v1/credentials", Need::Scope(Action::CredentialsRead)),
    ("POST", "/api/v1/credentials", Need::Scope(Action::CredentialsWrite)),
    (
        "GET",
        "/api/v1/credentials/{name}",
        Need::Scope(Action::CredentialsRead),
    ),
    (
        "PUT",
        "/api/v1/credentials/{name}",
        Need::Scope(Action::CredentialsWrite),
    ),
    (
        "DELETE",
        "/api/v1/credentials/{name}",
        Need::Scope(Action::CredentialsWrite),
    ),
    ("GET", "/api/v1/keys", Need::Scope(Action::KeysRead)),
    ("POST", "/api/v1/keys", Need::Scope(Action::KeysWrite)),
    ("GET", "/api/v1/keys/{key_id}", Need::Scope(Action::KeysRead)),
    ("DELETE", "/api/v1/keys/{key_id}", Need::Scope(Action::KeysWrite)),
    ("POST", "/api/v1/keys/{key_id}/rotate", Need::Scope(Action::KeysWrite)),
    ("GET", "/api/v1/session", Need::Caller),
    ("POST", "/api/v1/session", Need::Caller),
    ("DELETE", "/api/v1/session", Need::Caller),
    ("GET", "/api/v1/services", Need::Scope(Action::ServicesRead)),
    ("GET", "/api/v1/services/{service}", Need::Scope(Action::ServicesRead)),
    (
        "GET",
        "/api/v1/services/{service}/operations/{operation}",
        Need::Scope(Action::ServicesRead),
    ),
    (
        "POST",
        "/api/v1/services/{service}/operations/{operation}/test",
        Need::Scope(Action::JobsRun),
    ),
    ("GET", "/api/v1/stats/performance", Need::Scope(Action::JobsRead)),
    ("GET", "/api/v1/stats/resources", Need::Scope(Action::JobsRead)),
    ("GET", "/api/v1/stats/failures", Need::Scope(Action::JobsRead)),
    ("GET", "/health/live", Need::Nothing),
    ("GET", "/health/ready", Need::Nothing),
    ("GET", "/openapi.json", Need::Nothing),
];

/// Returns what a route needs. A method that it does not have is answered by the router.
pub(crate) fn need_of(method: &str, path: &str) -> Need {
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
