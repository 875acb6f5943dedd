//! Rewrites schemas into a form that client generators can use: flat, without cycles, and closed where requests are read strictly.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

pub(super) const PREFIX: &str = "#/components/schemas/";

/// Rewrites all schemas of a document.
pub(super) fn shape(document: &mut Value) {
    let mut schemas = match document["components"]["schemas"].take() {
        Value::Object(schemas) => schemas,
        _ => Map::new(),
    };
    let names: Vec<String> = schemas.keys().cloned().collect();
    for name in &names {
        walk(&mut schemas[name], &collapse);
        tag_variants(&mut schemas, name);
    }
    for name in &names {
        distribute(&mut schemas, name);
    }
    let asked = reached(&schemas, &document["paths"], &|path| path.ends_with("requestBody"));
    for (name, schema) in &mut schemas {
        walk(schema, &|schema| {
            schema.remove("default");
            split_null(schema);
            if asked.contains(name) {
                close(schema);
            } else {
                complete(schema);
            }
        });
    }
    let used = reached(&schemas, &document["paths"], &|_| true);
    schemas.retain(|name, _| used.contains(name));
    document["components"]["schemas"] = Value::Object(schemas);
}

/// Replaces an `allOf` of a schema and a description with that schema, which takes over the description.
fn collapse(schema: &mut Map<String, Value>) {
    let Some([inner, beside]) = schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) else {
        return;
    };
    let (Some(mut inner), Some(beside)) = (inner.as_object().cloned(), beside.as_object().cloned()) else {
        return;
    };
    if !beside.contains_key("properties") {
        inner.extend(beside.into_iter().filter(|(key, _)| key != "type"));
        schema.remove("allOf");
        schema.extend(inner);
    }
}

/// Turns an object or a list that may be `null` into a `oneOf` with `null`.
fn split_null(schema: &mut Map<String, Value>) {
    let kinds = schema.get("type").and_then(Value::as_array).map(Vec::as_slice);
    let Some([kind, other]) = kinds else { return };
    let (kind, other) = if kind == "null" { (other, kind) } else { (kind, other) };
    if other != "null" || !(kind == "object" || kind == "array") {
        return;
    }
    let kind = kind.clone();
    let mut inner = std::mem::take(schema);
    schema.extend(inner.remove("description").map(|text| ("description".to_owned(), text)));
    inner.insert("type".to_owned(), kind);
    schema.insert("oneOf".to_owned(), json!([{"type": "null"}, inner]));
}

/// Replaces a variant that adds a tag to another schema with that schema, and moves the tag into it.
fn tag_variants(schemas: &mut Map<String, Value>, name: &str) {
    let mut variants = take_list(&mut schemas[name], "oneOf");
    for variant in &mut variants {
        let Some([inner, tag]) = variant["allOf"].as_array().map(Vec::as_slice) else {
            continue;
        };
        let (Some(inner), tag) = (referred(inner), tag.clone()) else {
            continue;
        };
        merge(&mut schemas[&inner], &tag);
        *variant = json!({"$ref": format!("{PREFIX}{inner}")});
    }
    if !variants.is_empty() {
        schemas[name]["oneOf"] = Value::Array(variants);
    }
}

/// Replaces an `allOf` of a `oneOf` and some fields with a `oneOf` whose variants each have those fields.
fn distribute(schemas: &mut Map<String, Value>, name: &str) {
    let Some([choice, rest]) = schemas[name]["allOf"].as_array().map(Vec::as_slice) else {
        return;
    };
    let (Some(choice), rest) = (referred(choice), rest.clone()) else {
        return;
    };
    let prefix = if name.starts_with("New") { "New" } else { "" };
    let mut variants = schemas[&choice]["oneOf"].as_array().cloned().unwrap_or_default();
    for variant in &mut variants {
        merge(variant, &rest);
        variant["title"] = format!("{prefix}{}", variant["title"].as_str().unwrap_or_default()).into();
    }
    if let Some(schema) = schemas[name].as_object_mut() {
        schema.remove("allOf");
        schema.insert("oneOf".to_owned(), Value::Array(variants));
    }
}

/// Adds the fields of one object to another.
fn merge(schema: &mut Value, fields: &Value) {
    let properties = fields["properties"].as_object().cloned().unwrap_or_default();
    let required = fields["required"].as_array().cloned().unwrap_or_default();
    if let Some(own) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        own.extend(properties);
    }
    let mut own = take_list(schema, "required");
    own.extend(required);
    schema["required"] = own.into();
}

/// Forbids unknown fields in a request, and lets an optional field be `null`, which means that it is absent.
fn close(schema: &mut Map<String, Value>) {
    let required = names(schema.get("required"));
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    for (name, property) in properties {
        if !required.contains(name) {
            allow_null(property);
        }
    }
    schema.insert("additionalProperties".to_owned(), Value::Bool(false));
}

/// Marks the fields of an answer that may be `null` as required: they are always present.
fn complete(schema: &mut Map<String, Value>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    let mut required = names(schema.get("required"));
    let nullable = properties.iter().filter(|(_, property)| allows_null(property));
    required.extend(nullable.map(|(name, _)| name.clone()));
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into_iter().collect());
    }
}

fn allows_null(schema: &Value) -> bool {
    let is_null = |kind: &Value| kind == "null";
    is_null(&schema["type"])
        || schema["type"].as_array().is_some_and(|kinds| kinds.iter().any(is_null))
        || schema["oneOf"]
            .as_array()
            .is_some_and(|variants| variants.iter().any(allows_null))
}

fn allow_null(schema: &mut Value) {
    if allows_null(schema) {
        return;
    }
    let kind = schema.get("type").and_then(Value::as_str).map(str::to_owned);
    if let Some(kind) = kind.filter(|kind| kind != "object" && kind != "array") {
        schema["type"] = json!([kind, "null"]);
        if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
            values.push(Value::Null);
        }
    } else if let Some(variants) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        variants.insert(0, json!({"type": "null"}));
    } else {
        let described = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        *schema = json!({"oneOf": [{"type": "null"}, schema.take()]});
        if let Some(description) = described {
            schema["description"] = description;
        }
    }
}

/// Applies a change to a schema and to every schema in it.
fn walk(value: &mut Value, change: &dyn Fn(&mut Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            if ["type", "oneOf", "allOf", "$ref"]
                .iter()
                .any(|key| object.contains_key(*key))
            {
                change(object);
            }
            object.values_mut().for_each(|value| walk(value, change));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, change)),
        _ => {}
    }
}

/// Returns the names of the schemas that operations refer to, directly or indirectly, in the parts that `wanted` selects.
fn reached(schemas: &Map<String, Value>, paths: &Value, wanted: &dyn Fn(&str) -> bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let operations = paths.as_object().into_iter().flat_map(Map::values);
    for operation in operations.filter_map(Value::as_object).flat_map(Map::values) {
        for (part, value) in operation.as_object().into_iter().flatten() {
            if wanted(part) {
                reach(schemas, value, &mut found);
            }
        }
    }
    found
}

fn reach(schemas: &Map<String, Value>, value: &Value, found: &mut BTreeSet<String>) {
    if let Some(name) = referred(value)
        && found.insert(name.clone())
    {
        reach(schemas, &schemas[&name], found);
    }
    match value {
        Value::Object(object) => object.values().for_each(|value| reach(schemas, value, found)),
        Value::Array(items) => items.iter().for_each(|item| reach(schemas, item, found)),
        _ => {}
    }
}

/// Returns the name of the schema that another one refers to.
fn referred(schema: &Value) -> Option<String> {
    let name = schema["$ref"].as_str()?.strip_prefix(PREFIX)?;
    Some(name.to_owned())
}

fn names(list: Option<&Value>) -> BTreeSet<String> {
    let names = list.and_then(Value::as_array).into_iter().flatten();
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

fn take_list(schema: &mut Value, key: &str) -> Vec<Value> {
    match schema.as_object_mut().and_then(|schema| schema.remove(key)) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}
