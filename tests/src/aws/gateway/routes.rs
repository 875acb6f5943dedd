//! The routes of the template.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use axum::http::Method;

use crate::aws::template::Template;

/// The function of the API that a route leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Function {
    Submit,
    Query,
}

/// The routes; those with the most literal segments come first.
#[derive(Debug)]
pub(super) struct Routes(Vec<Route>);

#[derive(Debug)]
struct Route {
    key: String,
    function: Function,
}

/// Where a request goes.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Found {
    /// The route's key, such as `GET /api/v1/jobs/{job_id}`.
    pub(super) key: String,
    /// The values of the key's variables.
    pub(super) parameters: BTreeMap<String, String>,
    /// The function.
    pub(super) function: Function,
}

impl Routes {
    pub(super) fn read(template: &Template) -> anyhow::Result<Self> {
        let ids = template.ids_of("AWS::ApiGatewayV2::Route");
        let routes: anyhow::Result<Vec<_>> = ids.into_iter().map(|id| read_one(template, id)).collect();
        let mut routes = routes?;
        anyhow::ensure!(!routes.is_empty(), "infra/template.yaml has no routes");
        routes.sort_by_key(|route| route.key.matches('{').count());
        Ok(Self(routes))
    }

    pub(super) fn find(&self, method: &Method, path: &str) -> Option<Found> {
        let own = self
            .0
            .iter()
            .find_map(|route| Some((route, matches(&route.key, method, path)?)));
        let default = || self.0.iter().find(|route| route.key == "$default");
        let (route, parameters) = own.or_else(|| Some((default()?, BTreeMap::new())))?;
        Some(Found {
            key: route.key.clone(),
            parameters,
            function: route.function,
        })
    }
}

fn read_one(template: &Template, id: &str) -> anyhow::Result<Route> {
    let route = template.properties(id)?;
    let target = route.text("/Target")?;
    let integration = target
        .strip_prefix("integrations/${")
        .and_then(|rest| rest.strip_suffix('}'));
    let integration = template.properties(integration.with_context(|| format!("{id} leads to {target}"))?)?;
    let payload = integration.text("/PayloadFormatVersion")?;
    anyhow::ensure!(payload == "2.0", "{target} has payload format {payload}");
    let function = match integration.text("/IntegrationUri")? {
        "SubmitFunction.Arn" => Function::Submit,
        "QueryFunction.Arn" => Function::Query,
        other => bail!("{target} leads to {other}"),
    };
    let key = route.text("/RouteKey")?.to_owned();
    Ok(Route { key, function })
}

/// Returns the path's variables if the route matches the request.
fn matches(key: &str, method: &Method, path: &str) -> Option<BTreeMap<String, String>> {
    let (of, pattern) = key.split_once(' ')?;
    if of != "ANY" && of != method.as_str() || pattern.split('/').count() != path.split('/').count() {
        return None;
    }
    let mut parameters = BTreeMap::new();
    for (pattern, segment) in pattern.split('/').zip(path.split('/')) {
        match pattern.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) if !segment.is_empty() => drop(parameters.insert(name.to_owned(), segment.to_owned())),
            _ if pattern == segment => {}
            _ => return None,
        }
    }
    Some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_led_to_its_function_and_unknown_ones_to_query() -> anyhow::Result<()> {
        let routes = Routes::read(&Template::load()?)?;
        for (method, path, key, function) in [
            (Method::POST, "/api/v1/jobs", "POST /api/v1/jobs", Function::Submit),
            (
                Method::DELETE,
                "/api/v1/jobs/7",
                "DELETE /api/v1/jobs/{job_id}",
                Function::Submit,
            ),
            (
                Method::POST,
                "/api/v1/jobs/7/cancel",
                "POST /api/v1/jobs/{job_id}/cancel",
                Function::Submit,
            ),
            (
                Method::GET,
                "/api/v1/jobs/7",
                "GET /api/v1/jobs/{job_id}",
                Function::Query,
            ),
            (Method::PUT, "/api/v1/jobs/7", "$default", Function::Query),
            (Method::GET, "/api/v1/jobs/", "$default", Function::Query),
            (Method::GET, "/else", "$default", Function::Query),
        ] {
            let found = routes.find(&method, path).context("there is a default")?;
            assert_eq!((found.key.as_str(), found.function), (key, function), "{method} {path}");
            assert_eq!(found.parameters.contains_key("job_id"), key.contains("{job_id}"));
        }
        Ok(())
    }
}
