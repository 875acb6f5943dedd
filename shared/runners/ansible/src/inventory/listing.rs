//! JSON inventories as dynamic inventory scripts print them: lists of hosts, and variables under `_meta`.

use serde_json::{Map, Value, json};

use crate::unready::Unready;

/// Converts a JSON inventory, in either of its two forms, to Ansible's static structure.
pub(super) fn structure(bytes: Vec<u8>, place: &str) -> Result<Vec<u8>, Unready> {
    let wrong = |wrong: &str| Unready::inventory(format!("The inventory at {place} {wrong}."));
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| wrong("is not JSON").caused(error))?;
    let Value::Object(mut groups) = value else {
        return Err(wrong("must be a JSON object of groups"));
    };
    check(&groups, place)?;
    let meta = groups.remove("_meta");
    if meta.is_none() && !groups.values().any(is_listed) {
        return Ok(bytes);
    }
    let mut structure: Map<String, Value> = groups
        .into_iter()
        .map(|(name, group)| (name, static_group(group)))
        .collect();
    if let Some(Value::Object(vars)) = meta.as_ref().and_then(|meta| meta.get("hostvars")) {
        let all = structure.entry("all").or_insert_with(|| json!({}));
        if let Some(all) = all.as_object_mut() {
            let hosts = all.entry("hosts").or_insert_with(|| json!({}));
            if let Some(hosts) = hosts.as_object_mut() {
                hosts.extend(vars.clone());
            }
        }
    }
    Ok(Value::Object(structure).to_string().into_bytes())
}

/// Returns a YAML inventory unchanged; refuses YAML that is not an inventory, because Ansible would take its text for a host's name.
pub(super) fn groups(bytes: Vec<u8>, place: &str) -> Result<Vec<u8>, Unready> {
    let options = serde_saphyr::options! { duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins };
    let text = String::from_utf8_lossy(&bytes);
    match serde_saphyr::from_str_with_options(&text, options) {
        Ok(Value::Object(groups)) => check(&groups, place)?,
        Ok(_) => {
            return Err(Unready::inventory(format!(
                "The inventory at {place} must be an object of groups."
            )));
        }
        // Ansible reports the error with line and column
        Err(_) => {}
    }
    Ok(bytes)
}

fn check(groups: &Map<String, Value>, place: &str) -> Result<(), Unready> {
    let no_group = |group: &Value| !(group.is_object() || group.is_array() || group.is_null());
    let wrong = match groups.iter().find(|(_, group)| no_group(group)) {
        Some((name, _)) => format!("has {name:?}, which is no group"),
        None if groups.is_empty() => "names no group".to_owned(),
        None => return Ok(()),
    };
    Err(Unready::inventory(format!("The inventory at {place} {wrong}.")))
}

fn is_listed(group: &Value) -> bool {
    group.is_array()
        || ["hosts", "children"]
            .iter()
            .any(|part| group.get(part).is_some_and(Value::is_array))
}

fn static_group(group: Value) -> Value {
    match group {
        Value::Array(_) => json!({ "hosts": named(group) }),
        Value::Object(mut parts) => {
            for part in ["hosts", "children"] {
                if let Some(list) = parts.remove(part) {
                    parts.insert(part.to_owned(), named(list));
                }
            }
            Value::Object(parts)
        }
        other => other,
    }
}

/// Turns a list of names into an object.
fn named(list: Value) -> Value {
    match list {
        Value::Array(names) => {
            let names = names.into_iter().filter_map(|name| name.as_str().map(str::to_owned));
            Value::Object(names.map(|name| (name, Value::Null)).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_json_come_to_the_same() {
        let script = json!({"web": {"hosts": ["a", "b"], "vars": {"x": 1}}, "db": ["c"], "all": {"children": ["web", "db"]}, "_meta": {"hostvars": {"a": {"port": 80}}}});
        let told = structure(script.to_string().into_bytes(), "x")
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        assert_eq!(
            told,
            Some(json!({
                "web": {"hosts": {"a": null, "b": null}, "vars": {"x": 1}}, "db": {"hosts": {"c": null}},
                "all": {"children": {"web": null, "db": null}, "hosts": {"a": {"port": 80}}},
            }))
        );
        let fixed = json!({"web": {"hosts": {"a": null}}}).to_string().into_bytes();
        assert_eq!(structure(fixed.clone(), "x").ok(), Some(fixed));
        for wrong in ["[]", "{", "<html>", "{}", r#"{"a": 1}"#] {
            assert!(structure(wrong.as_bytes().to_vec(), "x").is_err(), "{wrong}");
        }
        for wrong in ["<html>hi</html>", "{}", "- a", "a: b", ""] {
            assert!(groups(wrong.as_bytes().to_vec(), "x").is_err(), "{wrong}");
        }
        let yaml = "web:\n  hosts:\n    a: {x: !vault y}\n    a: null\n";
        assert!(groups(yaml.as_bytes().to_vec(), "x").is_ok());
    }
}
