//! Adds the schemas that the kinds of jobs define: their requests, the parts of records, their events and reasons.

use callboard_core::request::{Kind, Kinds, Reason};
use serde_json::{Map, Value, json};

/// Replaces the placeholder schemas with the schemas of the kinds.
pub(super) fn add(document: &mut Value, kinds: &Kinds) {
    let names: Vec<&str> = kinds.event_names().collect();
    name_events(&mut document["paths"], &names);
    let schemas = &mut document["components"]["schemas"];
    for kind in kinds.iter() {
        let components = serde_json::to_value(kind.schemas()).unwrap_or_default();
        let own = components["schemas"].as_object().cloned().unwrap_or_default();
        if let Some(schemas) = schemas.as_object_mut() {
            schemas.extend(own);
        }
    }
    join(schemas, "Options", "JobOptions");
    join(schemas, "JobView", "RecordPart");
    join(schemas, "JobResult", "ResultPart");
    let reasons = kinds.iter().flat_map(Kind::reasons).chain(Reason::OF_EVERY_KIND);
    let mut reasons: Vec<&str> = reasons.map(Reason::as_str).collect();
    reasons.sort_unstable();
    schemas["Reason"]["enum"] = json!(reasons);
}

/// Adds the fields of one schema to another, and removes the former.
fn join(schemas: &mut Value, name: &str, part: &str) {
    let part = schemas.as_object_mut().and_then(|schemas| schemas.remove(part));
    let part = part.unwrap_or_default();
    let fields = part["properties"].as_object().cloned().unwrap_or_default();
    let mut required = part["required"].as_array().cloned().unwrap_or_default();
    let schema = &mut schemas[name];
    if let Some(own) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        own.extend(fields);
    }
    required.extend(schema["required"].as_array().cloned().unwrap_or_default());
    if !required.is_empty() {
        schema["required"] = required.into();
    }
}

/// Restricts the event filter to the names of known events.
fn name_events(paths: &mut Value, names: &[&str]) {
    let one = names.join("|");
    let operations = paths.as_object_mut().into_iter().flat_map(Map::values_mut);
    let operations = operations.filter_map(Value::as_object_mut).flat_map(Map::values_mut);
    for operation in operations.filter(|operation| operation["operationId"] == "listJobEvents") {
        let parameters = operation["parameters"].as_array_mut().into_iter().flatten();
        for parameter in parameters.filter(|parameter| parameter["name"] == "event") {
            parameter["schema"]["items"]["pattern"] = format!("^({one})(,({one}))*$").into();
        }
    }
}
