//! The output of a call: whether it is what its operation promises, and free of secrets.

use callboard_core::base::fields::Faults;
use callboard_core::redact::Redactor;
use serde_json::Value;

use crate::schema::Schema;

/// Returns what is wrong with an output that must satisfy a schema.
#[must_use]
pub fn fault(schema: &Value, output: &Value, truncated: bool) -> Option<String> {
    if truncated {
        return Some("the output is too large to be compared with its schema".to_owned());
    }
    let mut faults = Faults::default();
    match Schema::compile(schema) {
        Ok(schema) => schema.check(output, "", &mut faults),
        Err(wrong) => faults.add(wrong.pointer, wrong.detail),
    }
    let fault = faults.into_inner().into_iter().next()?;
    let place = if fault.pointer.is_empty() {
        "the output"
    } else {
        fault.pointer.as_str()
    };
    Some(format!("the output breaks its schema: {place}: {}", fault.detail))
}

/// Redacts what is in a JSON value: reading it has undone its escapes, which may have hidden a secret from a search of the text.
#[must_use]
pub fn redacted(value: Value, redactor: &Redactor) -> Value {
    match value {
        Value::String(text) => redactor.text(&text).into(),
        Value::Array(items) => items.into_iter().map(|item| redacted(item, redactor)).collect(),
        Value::Object(entries) => {
            let entries = entries.into_iter();
            Value::Object(
                entries
                    .map(|(name, value)| (redactor.text(&name), redacted(value, redactor)))
                    .collect(),
            )
        }
        other => other,
    }
}
