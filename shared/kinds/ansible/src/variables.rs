//! Variables for a playbook.

use callboard_core::base::fields::{Faults, Fields, kind};
use callboard_core::base::json::escape;
use serde_json::{Map, Value};

/// Reads the field `extra_vars`; an absent field is read as empty.
pub(crate) fn parse_extra_vars(fields: &mut Fields<'_>, faults: &mut Faults) -> Map<String, Value> {
    match fields.get("extra_vars") {
        None => Map::new(),
        Some(Value::Object(vars)) => {
            check_reserved(vars, "/extra_vars", faults);
            vars.clone()
        }
        Some(other) => {
            faults.add("/extra_vars", format!("must be an object, not {}", kind(other)));
            Map::new()
        }
    }
}

/// Refuses keys such as `__ansible_unsafe`, which have a special meaning for Ansible at any depth.
pub(crate) fn check_reserved(vars: &Map<String, Value>, pointer: &str, faults: &mut Faults) {
    for (name, value) in vars {
        let pointer = format!("{pointer}/{}", escape(name));
        if name.starts_with("__ansible_") {
            faults.add(
                pointer.as_str(),
                "begins with `__ansible_`, which Ansible keeps for itself",
            );
        }
        check_reserved_value(value, &pointer, faults);
    }
}

fn check_reserved_value(value: &Value, pointer: &str, faults: &mut Faults) {
    match value {
        Value::Object(object) => check_reserved(object, pointer, faults),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check_reserved_value(item, &format!("{pointer}/{index}"), faults);
            }
        }
        _ => {}
    }
}
