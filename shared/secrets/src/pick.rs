//! Chooses one value of a secret that has several.

use serde_json::{Map, Value};

use crate::fault::Fault;

/// Returns the value of a key, or of the only key; `field` is the request's field that names the key.
pub(crate) fn pick(values: &Map<String, Value>, key: Option<&str>, field: &str) -> Result<String, Fault> {
    let names = || values.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let value = match (key, values.len()) {
        (_, 0) => return Err(Fault::new("it is empty")),
        (Some(key), _) => values
            .get(key)
            .ok_or_else(|| Fault::new(format!("it has no key {key:?}; it has {}", names())))?,
        (None, 1) => values.values().next().unwrap_or(&Value::Null),
        (None, _) => {
            let what = format!("it has several keys, of which {field} must name one: {}", names());
            return Err(Fault::new(what));
        }
    };
    match value {
        Value::String(text) => Ok(text.clone()),
        other => Ok(other.to_string()),
    }
}
