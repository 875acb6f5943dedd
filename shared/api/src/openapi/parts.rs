//! Adds the schemas that the kinds of jobs define: their requests, records and events. Each kind has its own, and an API that takes
//! requests of every kind has the choice among them.

use callboard_core::request::{Kind, Kinds, Reason};
use serde_json::{Map, Value, json};

use super::shape::PREFIX;

/// The schemas of a kind that become choices, or parts of one.
const OWN: [&str; 6] = ["JobRequest", "Options", "RecordPart", "ResultPart", "Progress", "Event"];

/// Replaces the placeholder schemas with the schemas of the kinds.
pub(super) fn add(document: &mut Value, kinds: &Kinds) {
    let names: Vec<&str> = kinds.event_names().collect();
    name_events(&mut document["paths"], &names);
    let schemas = &mut document["components"]["schemas"];
    let (record, result, options) = (
        take(schemas, "JobView"),
        take(schemas, "JobResult"),
        take(schemas, "JobOptions"),
    );
    let (mut requests, mut records, mut events) = (Vec::new(), Vec::new(), Vec::new());
    for kind in kinds.iter() {
        let part = Part::of(kind);
        let mut own = part.schemas(kind);
        join(&mut own[part.named("Options")], &options);
        let mut record = record.clone();
        join(&mut record, &take(&mut own, &part.named("RecordPart")));
        let fields = &mut record["properties"];
        fields["kind"] = json!({"type": "string", "enum": kind.names(), "description": "The kind of the job."});
        require(&mut record, "kind");
        own[part.named("Job")] = part.renamed(record);
        let mut result = result.clone();
        join(&mut result, &take(&mut own, &part.named("ResultPart")));
        own[part.named("JobResult")] = result;
        requests.push(part.reference("JobRequest"));
        records.push((part.reference("Job"), kind.names()));
        events.push(part.reference("Event"));
        if let (Some(schemas), Value::Object(own)) = (schemas.as_object_mut(), own) {
            schemas.extend(own);
        }
    }
    schemas["JobRequest"] = choice("A request to run a job.", &requests);
    schemas["JobView"] = records_of(&records);
    schemas["Event"] = choice("An event of a job.", &events);
    let reasons = kinds.iter().flat_map(Kind::reasons).chain(Reason::OF_EVERY_KIND);
    let mut reasons: Vec<&str> = reasons.map(Reason::as_str).collect();
    reasons.sort_unstable();
    schemas["Reason"]["enum"] = json!(reasons);
}

/// The part of the document that belongs to one kind. The names of its schemas begin with the kind's.
struct Part(String);

impl Part {
    fn of(kind: &dyn Kind) -> Self {
        let mut letters = kind.name().chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        Self(first.into_iter().chain(letters).collect())
    }

    fn named(&self, schema: &str) -> String {
        format!("{}{schema}", self.0)
    }

    fn reference(&self, schema: &str) -> Value {
        json!({"$ref": format!("{PREFIX}{}", self.named(schema))})
    }

    /// Returns the kind's schemas under the names that they have in the document.
    fn schemas(&self, kind: &dyn Kind) -> Value {
        let components = serde_json::to_value(kind.schemas()).unwrap_or_default();
        let own = components["schemas"].as_object().cloned().unwrap_or_default();
        let named = own.into_iter().map(|(name, schema)| {
            let name = if OWN.contains(&name.as_str()) {
                self.named(&name)
            } else {
                name
            };
            (name, self.renamed(schema))
        });
        Value::Object(named.collect())
    }

    /// Makes references to the kind's own schemas refer to the names that they have in the document.
    fn renamed(&self, mut schema: Value) -> Value {
        match &mut schema {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let referred = value.as_str().and_then(|text| text.strip_prefix(PREFIX));
                    let referred = referred.filter(|to| name == "$ref" && (OWN.contains(to) || *to == "JobResult"));
                    *value = match referred {
                        Some(to) => format!("{PREFIX}{}", self.named(to)).into(),
                        None => self.renamed(value.take()),
                    };
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| *item = self.renamed(item.take())),
            _ => {}
        }
        schema
    }
}

/// Makes the schema of records: one of those of the kinds, told by `kind`.
fn records_of(records: &[(Value, Vec<&str>)]) -> Value {
    let mut mapping = Map::new();
    for (reference, kinds) in records {
        mapping.extend(kinds.iter().map(|kind| ((*kind).to_owned(), reference["$ref"].clone())));
    }
    let variants: Vec<Value> = records.iter().map(|(reference, _)| reference.clone()).collect();
    let mut schema = choice("The record of a job.", &variants);
    schema["discriminator"] = json!({"propertyName": "kind", "mapping": mapping});
    schema
}

fn choice(description: &str, variants: &[Value]) -> Value {
    json!({"description": description, "oneOf": variants})
}

fn take(schemas: &mut Value, name: &str) -> Value {
    let schema = schemas.as_object_mut().and_then(|schemas| schemas.remove(name));
    schema.unwrap_or_default()
}

/// Adds the fields of one schema to another.
fn join(schema: &mut Value, part: &Value) {
    let fields = part["properties"].as_object().cloned().unwrap_or_default();
    if let Some(own) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        own.extend(fields);
    }
    for name in part["required"].as_array().into_iter().flatten() {
        require(schema, name.as_str().unwrap_or_default());
    }
}

fn require(schema: &mut Value, name: &str) {
    match schema.get_mut("required").and_then(Value::as_array_mut) {
        Some(required) => required.push(name.into()),
        None => schema["required"] = json!([name]),
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
