//! The HTTP API of the real program: submitting, listing, reading output and events, and its own description.

mod description;
mod events;
mod follow;
mod list;
mod logs;
mod submit;

use serde_json::Value;

/// Returns the names of an object's fields, as they stand.
fn names(object: &Value) -> Vec<&str> {
    let fields = object.as_object().into_iter().flatten();
    fields.map(|(name, _)| name.as_str()).collect()
}
