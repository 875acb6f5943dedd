//! The OpenAPI document, generated from the handlers and their types.

mod parts;
mod problems;
mod shape;

use std::sync::{Arc, OnceLock};

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use callboard_core::request::Kinds;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use crate::access::{self, Need};
use crate::app::App;

/// Example requests and answers of each operation, by its id and then by `request` or the status.
const EXAMPLES: &str = include_str!("openapi/examples.json");

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Callboard",
        description = "Runs Ansible playbooks, and operations of registered services, as jobs: submit a job, watch it run, and read its output and its record.\n\nErrors are returned as problem details (RFC 9457), whose `type` is one of a closed list. New fields may be added to responses. A request with an unknown field is refused."
    ),
    servers((url = "/", description = "The service that returned this document.")),
    tags(
        (name = "jobs", description = "Run playbooks, roles and operations of services, and read the records."),
        (name = "output", description = "The output of jobs and their events; those of Ansible jobs are ansible-runner's."),
        (name = "services", description = "The registered services, whose operations jobs may call."),
        (name = "stats", description = "How jobs end, what they use and why they fail, and what is left of quotas."),
        (name = "credentials", description = "Stored secrets, which jobs refer to by name."),
        (name = "keys", description = "API keys, what their holders may do, and the sessions of web pages."),
        (name = "audit", description = "Who has changed what, and who was refused."),
        (name = "health", description = "Whether the service is alive and ready, and its API description."),
    ),
    components(schemas(crate::problem::Problem, callboard_core::request::JobOptions)),
    paths(
        crate::submit::submit,
        crate::jobs::list,
        crate::jobs::get,
        crate::cancel::delete,
        crate::cancel::cancel,
        crate::redrive::redrive,
        crate::redrive::redrive_all,
        crate::relaunch::relaunch,
        crate::logs::logs,
        crate::events::events,
        crate::stream::stream,
        crate::hosts::list,
        crate::results::get,
        crate::credentials::create,
        crate::credentials::list,
        crate::credentials::get,
        crate::credentials::rotate,
        crate::credentials::remove,
        crate::keys::create,
        crate::keys::list,
        crate::keys::get,
        crate::keys::rotate,
        crate::keys::revoke,
        crate::audit::list,
        crate::session::get,
        crate::session::begin,
        crate::session::end,
        crate::services::list,
        crate::services::get,
        crate::services::operation,
        crate::services::test,
        crate::stats::performance,
        crate::stats::resources,
        crate::stats::failures,
        crate::quotas::get,
        crate::health::live,
        crate::health::ready,
        crate::openapi::serve,
    )
)]
struct Document;

/// Makes the OpenAPI document of the API, as JSON; `infra/openapi.json` is a copy of it.
#[must_use]
pub fn document(kinds: &Kinds) -> String {
    let document = serde_json::to_value(Document::openapi()).map(|document| complete(document, kinds));
    let text = document.and_then(|document| serde_json::to_string_pretty(&document));
    text.map(|text| text + "\n").unwrap_or_default()
}

/// A router's document, which is made when it is first requested.
#[derive(Clone, Default)]
pub(crate) struct Made(Arc<OnceLock<Bytes>>);

/// Returns this document.
///
/// The document describes the running release of the service, in OpenAPI 3.1.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getOpenApi",
    tag = "health",
    responses(
        (status = 200, description = "The OpenAPI document.", body = callboard_core::request::Variables),
    )
)]
pub(crate) async fn serve(State(app): State<App>, Extension(made): Extension<Made>) -> impl IntoResponse {
    let document = made.0.get_or_init(|| document(&app.submitter.kinds).into());
    ([(CONTENT_TYPE, "application/json")], document.clone())
}

/// Adds what all operations share: their problems, examples and authorization.
fn complete(mut document: Value, kinds: &Kinds) -> Value {
    let examples = serde_json::from_str(EXAMPLES).unwrap_or(Value::Null);
    for (path, methods) in document["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in methods.as_object_mut().into_iter().flatten() {
            let method = method.to_uppercase();
            complete_operation(&method, operation, &examples);
            secure(&method, path, operation);
        }
    }
    parts::add(&mut document, kinds);
    let schemas = &mut document["components"]["schemas"];
    schemas["Problem"]["properties"]["type"]["enum"] = problems::uris();
    let options = &mut schemas["AnsibleOptions"]["properties"];
    for name in ["check", "diff"] {
        let description = format!("An alias of `{name}`.");
        options[format!("{name}_mode")] = json!({"type": "boolean", "description": description});
    }
    document["components"]["securitySchemes"] = json!({"api_key": {
        "type": "http", "scheme": "bearer",
        "description": "An API key of Callboard, as `callboard keys create` makes it. A service without keys answers on its own machine only, and everybody there may do everything.",
    }, "oidc": {
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": "A token of an OpenID Connect issuer that the operator's policy lists, such as that of a CI pipeline.",
    }, "session": {
        "type": "apiKey", "in": "cookie", "name": "__Host-callboard",
        "description": "The cookie of a session, which `POST /api/v1/session` sets; by HTTP, without TLS, its name is `callboard`. A request that is not GET or HEAD must send the session's `csrf_token` in the header `X-CSRF-Token`. Where there is a header `Authorization`, the cookie does not count.",
    }, "aws_sigv4": {
        "type": "apiKey", "in": "header", "name": "Authorization",
        "description": "On AWS, requests must be signed by an identity that is allowed to invoke the API (Signature Version 4, service `execute-api`).",
    }});
    document["components"]["headers"] = json!({"RequestId": {
        "description": "The id of the request in the service's log. If the client sends an `X-Request-Id` of at most 128 letters, digits and `-_.:/+=@`, that value is used.",
        "schema": {"type": "string"},
    }});
    shape::shape(&mut document);
    unwrap_descriptions(&mut document);
    document
}

/// Joins the lines of each paragraph of a description: the source's line breaks have no meaning.
fn unwrap_descriptions(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(text) if name == "description" => {
                        let paragraphs = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
                        *text = paragraphs.collect::<Vec<_>>().join("\n\n");
                    }
                    value => unwrap_descriptions(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(unwrap_descriptions),
        _ => {}
    }
}

/// Says which scope an operation needs, by any of the ways to show who asks.
fn secure(method: &str, path: &str, operation: &mut Value) {
    let action = match access::need_of_route(method, path) {
        Need::Nothing => {
            operation["security"] = json!([]);
            return;
        }
        Need::Caller(_) => {
            operation["security"] = json!([{"api_key": []}, {"oidc": []}, {"session": []}, {"aws_sigv4": []}]);
            return;
        }
        Need::Scope(action, _) => action,
    };
    let scopes = json!([action.as_str()]);
    operation["security"] = json!([{"api_key": scopes}, {"oidc": scopes}, {"session": scopes}, {"aws_sigv4": []}]);
    let told = operation["description"].as_str().unwrap_or_default();
    operation["description"] = format!("{told}\n\nNeeds the scope `{action}`.").into();
}

fn complete_operation(method: &str, operation: &mut Value, examples: &Value) {
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    let examples = &examples[&id];
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        // a parameter may be left out, but is never null
        if let Some([kind, _]) = parameter["schema"]["type"].as_array().map(Vec::as_slice) {
            parameter["schema"]["type"] = kind.clone();
        }
    }
    if let Some(responses) = operation["responses"].as_object_mut() {
        for (status, response) in responses.iter_mut() {
            add_example(response, &examples[status]);
        }
        problems::add(&id, method, responses);
        for response in responses.values_mut() {
            response["headers"]["X-Request-Id"] = json!({"$ref": "#/components/headers/RequestId"});
        }
        responses.sort_keys();
    }
    if operation.get("requestBody").is_some() {
        // a body may be left out as well, and is never null either
        let schema = &mut operation["requestBody"]["content"]["application/json"]["schema"];
        if let Some([asked, _]) = schema["oneOf"].as_array().map(Vec::as_slice) {
            *schema = asked.clone();
        }
        add_example(&mut operation["requestBody"], &examples["request"]);
    }
}

fn add_example(part: &mut Value, example: &Value) {
    let content = part.get_mut("content").and_then(Value::as_object_mut);
    for media in content.into_iter().flat_map(Map::values_mut) {
        if !example.is_null() {
            media["example"] = example.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use callboard_kind_ansible::catalog::Elsewhere;
    use callboard_kind_ansible::kind::Ansible;

    use super::*;

    fn kinds() -> Kinds {
        let policies = Default::default();
        let ansible = Ansible::new(policies, Default::default(), Arc::new(Elsewhere));
        Kinds::new(Arc::new(ansible), Vec::new())
    }

    fn operations(document: &Value) -> impl Iterator<Item = (&str, &Value)> {
        let paths = document["paths"].as_object().into_iter().flat_map(Map::values);
        let operations = paths.filter_map(Value::as_object).flat_map(Map::values);
        operations.map(|operation| (operation["operationId"].as_str().unwrap_or_default(), operation))
    }

    #[test]
    fn every_operation_has_an_id_of_its_own_a_description_examples_and_every_status() -> Result<(), serde_json::Error> {
        let document: Value = serde_json::from_str(&document(&kinds()))?;
        let mut ids = std::collections::BTreeSet::new();
        for (id, operation) in operations(&document) {
            assert!(ids.insert(id) && !id.is_empty(), "{id}");
            for part in ["summary", "description"] {
                assert!(
                    operation[part].as_str().is_some_and(|text| !text.is_empty()),
                    "{id} has no {part}"
                );
            }
            assert!(
                operation["security"].is_array() && operation["responses"]["405"].is_object(),
                "{id}"
            );
            let body = operation.get("requestBody").into_iter();
            let responses = operation["responses"].as_object().into_iter().flat_map(Map::values);
            let contents = body.chain(responses).filter_map(|part| part["content"].as_object());
            for media in contents.flat_map(Map::values) {
                assert!(
                    media.get("example").or(media.get("examples")).is_some(),
                    "{id}: {media}"
                );
            }
        }
        assert_eq!(ids.len(), 38);
        Ok(())
    }

    #[test]
    fn nothing_in_it_speaks_of_the_code() {
        let document = document(&kinds());
        for word in ["[`", "callboard_core", "crate::", "Self::", "Vec<", "Option<"] {
            assert!(!document.contains(word), "{word}");
        }
    }
}
