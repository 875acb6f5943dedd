//! Inventories: which hosts a job works on.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::fields::{Faults, Fields, kind};

const MAX_HOST_LIST_BYTES: usize = 1 << 20;

/// Which hosts a job works on.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Inventory {
    /// Host names with a comma behind each, or between them: `"localhost,"`, `"a,b,"`. A text without a comma
    /// is a path; only `callboard run -i` may name one.
    #[schema(example = "localhost,")]
    Text(String),
    /// An inventory in the request.
    Inline(InlineInventory),
    /// Several inventories, merged in order, as `-i` given several times.
    #[schema(no_recursion)]
    Several(Vec<Inventory>),
}

/// Groups as in Ansible's YAML inventory, in the request.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InlineInventory {
    /// Says that this is an inline inventory.
    #[serde(rename = "type")]
    pub kind: InlineKind,
    /// Top-level groups with `hosts`, `vars` and `children`: `{"web": {"hosts": {"web1": {"port": 80}}}}`.
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
}

/// The word `inline`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum InlineKind {
    /// An inline inventory.
    #[default]
    Inline,
}

impl Default for Inventory {
    fn default() -> Self {
        Self::Text("localhost,".to_owned())
    }
}

impl Inventory {
    /// Reads an inventory, or a list of them, from a request; every fault is added with its pointer.
    pub fn parse(value: &Value, pointer: &str, faults: &mut Faults) -> Self {
        match value {
            Value::Array(items) if !items.is_empty() => {
                let item = |(index, item)| Self::parse_one(item, &format!("{pointer}/{index}"), faults);
                Self::Several(items.iter().enumerate().map(item).collect())
            }
            _ => Self::parse_one(value, pointer, faults),
        }
    }

    fn parse_one(value: &Value, pointer: &str, faults: &mut Faults) -> Self {
        match value {
            Value::String(hosts) => {
                check_host_list(hosts, pointer, faults);
                Self::Text(hosts.clone())
            }
            Value::Object(_) => parse_typed(value, pointer, faults).unwrap_or_default(),
            other => {
                let detail = "must be a string such as \"localhost,\" or an object with a type";
                faults.add(pointer, format!("{detail}, not {}", kind(other)));
                Self::default()
            }
        }
    }
}

fn check_host_list(hosts: &str, pointer: &str, faults: &mut Faults) {
    if hosts.chars().any(char::is_control) {
        faults.add(pointer, "must not hold control characters");
    } else if hosts.len() > MAX_HOST_LIST_BYTES {
        faults.add(pointer, format!("must have at most {MAX_HOST_LIST_BYTES} bytes"));
    } else if !hosts.contains(',') {
        faults.add(
            pointer,
            format!("is a list of hosts and needs a comma, as in {:?}", format!("{hosts},")),
        );
    } else if hosts.split(',').all(|host| host.trim().is_empty()) {
        faults.add(pointer, "names no host");
    }
}

fn parse_typed(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Inventory> {
    let mut fields = Fields::of(value, pointer, faults)?;
    let inventory = match fields.get("type") {
        Some(Value::String(name)) if name == "inline" => parse_inline(&mut fields, faults),
        Some(_) => {
            faults.add(fields.pointer("type"), "is not known here; known is \"inline\"");
            return None;
        }
        None => {
            faults.add(fields.pointer("type"), "is missing; known is \"inline\"");
            return None;
        }
    };
    fields.finish(faults);
    inventory
}

fn parse_inline(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Inventory> {
    let pointer = fields.pointer("data");
    match fields.get("data") {
        Some(Value::Object(groups)) => {
            let before = faults.count();
            for (name, group) in groups {
                check_group(name, group, &pointer, faults);
            }
            if faults.count() == before && !groups.values().any(names_host) {
                faults.add(pointer, "names no host");
            }
            Some(Inventory::Inline(InlineInventory {
                kind: InlineKind::Inline,
                data: groups.clone(),
            }))
        }
        Some(other) => {
            faults.add(pointer, format!("must be an object of groups, not {}", kind(other)));
            None
        }
        None => {
            faults.add(
                pointer,
                "is missing: an object of groups, as in {\"web\": {\"hosts\": {\"web1\": null}}}",
            );
            None
        }
    }
}

fn check_group(name: &str, group: &Value, parent: &str, faults: &mut Faults) {
    let pointer = &check_name(name, parent, faults);
    if group.is_null() {
        return;
    }
    let Some(mut fields) = Fields::of(group, pointer, faults) else {
        return;
    };
    let hosts = fields.pointer("hosts");
    for (name, vars) in check_members(&mut fields, "hosts", faults).into_iter().flatten() {
        check_host(name, vars, &hosts, faults);
    }
    check_members(&mut fields, "vars", faults);
    let children = fields.pointer("children");
    for (name, child) in check_members(&mut fields, "children", faults).into_iter().flatten() {
        check_group(name, child, &children, faults);
    }
    fields.finish(faults);
}

fn check_host(name: &str, vars: &Value, parent: &str, faults: &mut Faults) {
    let pointer = check_name(name, parent, faults);
    if !vars.is_object() && !vars.is_null() {
        faults.add(
            pointer,
            format!("must be an object of variables or null, not {}", kind(vars)),
        );
    }
}

/// Checks the name of a group or host; returns its pointer.
fn check_name(name: &str, parent: &str, faults: &mut Faults) -> String {
    let pointer = format!("{parent}/{}", crate::json::escape(name));
    if name.is_empty() || name.chars().any(char::is_control) {
        faults.add(
            pointer.as_str(),
            "must have a name that is not empty and without control characters",
        );
    }
    pointer
}

fn check_members<'a>(
    fields: &mut Fields<'a>,
    name: &'static str,
    faults: &mut Faults,
) -> Option<&'a Map<String, Value>> {
    match fields.get(name)? {
        Value::Object(members) => Some(members),
        other => {
            faults.add(fields.pointer(name), format!("must be an object, not {}", kind(other)));
            None
        }
    }
}

fn names_host(group: &Value) -> bool {
    let has = |name: &str| group.get(name).and_then(Value::as_object);
    has("hosts").is_some_and(|hosts| !hosts.is_empty())
        || has("children").is_some_and(|children| children.values().any(names_host))
}
