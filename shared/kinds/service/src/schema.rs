//! JSON Schemas of inputs and outputs.

use std::sync::Arc;

use callboard_core::base::fields::{Faults, FieldError, Fields};
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::Value;

/// How many faults of one value are told.
const MOST_FAULTS: usize = 20;
/// How long a fault's place and sentence may be, in characters: they name what is in the value.
const MOST_CHARS: usize = 300;
/// Of a value with more values in it, only the first fault is told.
const MOST_VALUES: usize = 10_000;

/// A JSON Schema (draft 2020-12).
#[derive(Clone)]
pub struct Schema {
    text: Value,
    validator: Arc<Validator>,
}

impl Schema {
    /// Compiles a schema. It may refer to itself, and to nothing on the network or the disk. Patterns take time in proportion to
    /// the text, so they have neither look-around nor references back.
    ///
    /// # Errors
    /// What is wrong, with a pointer into the schema.
    pub fn compile(text: &Value) -> Result<Self, FieldError> {
        let options = jsonschema::options().with_draft(Draft::Draft202012);
        let options = options
            .should_validate_formats(true)
            .with_pattern_options(PatternOptions::regex());
        let compiled = options.build(text).map_err(|error| FieldError {
            pointer: error.instance_path().to_string(),
            detail: format!("is no JSON Schema: {error}"),
        })?;
        Ok(Self {
            text: text.clone(),
            validator: Arc::new(compiled),
        })
    }

    /// Reads a field that is a schema; absent is `None`.
    pub(crate) fn field(fields: &mut Fields<'_>, name: &'static str, faults: &mut Faults) -> Option<Self> {
        let compiled = Self::compile(fields.get(name)?);
        let pointer = fields.pointer(name);
        compiled
            .map_err(|wrong| faults.add(format!("{pointer}{}", wrong.pointer), wrong.detail))
            .ok()
    }

    /// Returns the schema as it was written.
    #[must_use]
    pub fn text(&self) -> &Value {
        &self.text
    }

    /// Adds a fault for each part of a value that breaks the schema. The faults do not repeat the value, which may hold secrets.
    pub fn check(&self, value: &Value, pointer: &str, faults: &mut Faults) {
        if self.validator.is_valid(value) {
            return;
        }
        let mut tell = |error: &ValidationError<'_>| {
            let pointer = format!("{pointer}{}", error.instance_path());
            faults.add(cut(&pointer), cut(&error.masked_with("the value").to_string()));
        };
        // the faults are all found before the first is told: of a large value, one is enough
        if is_large(value) {
            self.validator.validate(value).err().iter().for_each(tell);
        } else {
            self.validator
                .iter_errors(value)
                .take(MOST_FAULTS)
                .for_each(|error| tell(&error));
        }
    }
}

/// Returns whether a value has very many values in it.
fn is_large(value: &Value) -> bool {
    fn count(value: &Value, left: usize) -> Option<usize> {
        let left = left.checked_sub(1)?;
        match value {
            Value::Array(items) => items.iter().try_fold(left, |left, item| count(item, left)),
            Value::Object(entries) => entries.values().try_fold(left, |left, item| count(item, left)),
            _ => Some(left),
        }
    }
    count(value, MOST_VALUES).is_none()
}

fn cut(text: &str) -> String {
    text.chars().take(MOST_CHARS).collect()
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.text.fmt(f)
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn faults_have_a_pointer_and_do_not_tell_the_value() -> Result<(), String> {
        let schema = json!({
            "type": "object", "required": ["amount"], "additionalProperties": false,
            "properties": {"amount": {"type": "integer", "minimum": 1}, "email": {"type": "string", "format": "email"}},
        });
        let schema = Schema::compile(&schema).map_err(|error| error.detail)?;
        let told = |value: Value| {
            let mut faults = Faults::default();
            schema.check(&value, "/input", &mut faults);
            faults.into_inner()
        };
        assert!(told(json!({"amount": 1, "email": "a@example.com"})).is_empty());
        let faults = told(json!({"amount": "hunter2", "email": "hunter2", "x": "hunter2"}));
        let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert!(
            pointers.contains(&"/input/amount") && pointers.contains(&"/input/email"),
            "{faults:?}"
        );
        assert!(
            faults.iter().all(|fault| !fault.detail.contains("hunter2")),
            "{faults:?}"
        );
        assert!(told(json!({}))[0].detail.contains("amount"));
        Ok(())
    }

    #[test]
    fn of_a_value_with_very_many_faults_one_is_told_and_briefly() -> Result<(), String> {
        let schema = Schema::compile(&json!({"additionalProperties": false, "items": {"type": "string"}}));
        let schema = schema.map_err(|error| error.detail)?;
        let many: Value = (0..50_000).map(Value::from).collect();
        let long = json!({"x".repeat(100_000): 1});
        for value in [many, long] {
            let mut faults = Faults::default();
            schema.check(&value, "/input", &mut faults);
            let faults = faults.into_inner();
            assert_eq!(faults.len(), 1);
            assert!(faults[0].detail.len() + faults[0].pointer.len() < 1000);
        }
        Ok(())
    }

    #[test]
    fn what_is_no_schema_is_refused_with_its_place() {
        for (schema, pointer) in [
            (json!({"type": "strin"}), "/type"),
            (json!({"properties": {"a": {"pattern": "("}}}), "/properties/a/pattern"),
            (json!({"$ref": "https://example.com/schema.json"}), ""),
            (json!({"pattern": "(?=a)"}), "/pattern"),
        ] {
            let found = Schema::compile(&schema).err().map(|error| error.pointer);
            assert_eq!(found.as_deref(), Some(pointer), "{schema}");
        }
    }
}
