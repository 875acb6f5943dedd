//! JSON Schemas of inputs and outputs.

use std::sync::Arc;

use callboard_core::base::fields::{Faults, FieldError};
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

/// How many faults of one value are told.
const MOST_FAULTS: usize = 20;

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

    /// Returns the schema as it was written.
    #[must_use]
    pub fn text(&self) -> &Value {
        &self.text
    }

    /// Adds a fault for each part of a value that breaks the schema. The faults do not repeat the value, which may hold secrets.
    pub fn check(&self, value: &Value, pointer: &str, faults: &mut Faults) {
        for error in self.validator.iter_errors(value).take(MOST_FAULTS) {
            let pointer = format!("{pointer}{}", error.instance_path());
            faults.add(pointer, error.masked_with("the value").to_string());
        }
    }
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
