//! Inventories in a request: Ansible's own structure, or plain lists of hosts and groups.

use std::collections::BTreeMap;

use callboard_core::base::fields::{Faults, Fields, kind};
use callboard_core::base::json::escape;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

const MAX_HOST_BYTES: usize = 1024;

/// An inventory in the request: `data`, or `hosts` with `groups` and `host_vars`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct InlineInventory {
    /// Top-level groups with `hosts`, `vars` and `children`: `{"web": {"hosts": {"web1": {"port": 80}}}}`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = callboard_core::request::Variables)]
    pub data: Map<String, Value>,
    /// The names of hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// The groups, each with the names of its hosts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Vec<String>>,
    /// Variables, by host name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = callboard_core::request::Variables)]
    pub host_vars: Map<String, Value>,
}

impl InlineInventory {
    /// Returns the inventory in the structure of Ansible's YAML inventories.
    #[must_use]
    pub fn structure(&self) -> Value {
        let mut structure = self.data.clone();
        if self.hosts.is_empty() && self.groups.is_empty() && self.host_vars.is_empty() {
            return Value::Object(structure);
        }
        let named = self.hosts.iter().chain(self.groups.values().flatten());
        let mut hosts: Map<String, Value> = named.map(|host| (host.clone(), Value::Null)).collect();
        hosts.extend(self.host_vars.clone());
        let members = |hosts: &[String]| -> Value {
            hosts
                .iter()
                .map(|host| (host.clone(), Value::Null))
                .collect::<Map<_, _>>()
                .into()
        };
        let groups = self
            .groups
            .iter()
            .map(|(name, hosts)| (name.clone(), json!({ "hosts": members(hosts) })));
        structure.insert(
            "all".to_owned(),
            json!({ "hosts": hosts, "children": groups.collect::<Map<_, _>>() }),
        );
        Value::Object(structure)
    }

    pub(super) fn parse(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let lists = ["hosts", "groups", "host_vars"];
        let listed = lists.into_iter().filter(|name| fields.get(name).is_some()).count() > 0;
        match (fields.get("data").is_some(), listed) {
            (true, true) => faults.add(fields.pointer("data"), "and hosts, groups, host_vars exclude each other"),
            (false, false) => faults.add(
                fields.pointer("data"),
                "is missing: an object of groups, as in {\"web\": {\"hosts\": {\"web1\": null}}}; or give hosts and groups",
            ),
            _ => {}
        }
        let before = faults.count();
        let inventory = Self {
            data: parse_data(fields, faults),
            hosts: parse_hosts(fields, faults),
            groups: parse_groups(fields, faults),
            host_vars: parse_host_vars(fields, faults),
        };
        if listed && faults.count() == before {
            inventory.check_names(fields, faults);
        }
        inventory
    }

    /// Checks that the inventory names a host, and that only named hosts have variables: a misspelled name would become a host.
    fn check_names(&self, fields: &Fields<'_>, faults: &mut Faults) {
        let known: std::collections::HashSet<&String> =
            self.hosts.iter().chain(self.groups.values().flatten()).collect();
        if known.is_empty() && self.host_vars.is_empty() {
            faults.add(fields.pointer("hosts"), "names no host");
        }
        for name in self.host_vars.keys().filter(|name| !known.contains(name)) {
            let pointer = format!("{}/{}", fields.pointer("host_vars"), escape(name));
            faults.add(pointer, "is no host of hosts or groups");
        }
    }
}

fn parse_hosts(fields: &mut Fields<'_>, faults: &mut Faults) -> Vec<String> {
    let hosts = fields.lines("hosts", MAX_HOST_BYTES, faults);
    check_hosts(&hosts, &fields.pointer("hosts"), faults);
    hosts
}

fn parse_groups(fields: &mut Fields<'_>, faults: &mut Faults) -> BTreeMap<String, Vec<String>> {
    let parent = fields.pointer("groups");
    let mut groups = BTreeMap::new();
    let Some(members) = fields.object("groups", faults) else {
        return groups;
    };
    let lists = Fields::of_map(members, &parent);
    for name in members.keys() {
        let pointer = check_name(name, &parent, faults);
        if name == "all" {
            faults.add(pointer.as_str(), "has every host already");
        }
        let hosts = lists.lines_of(name, MAX_HOST_BYTES, faults);
        check_hosts(&hosts, &pointer, faults);
        groups.insert(name.clone(), hosts);
    }
    groups
}

fn parse_host_vars(fields: &mut Fields<'_>, faults: &mut Faults) -> Map<String, Value> {
    let pointer = fields.pointer("host_vars");
    let vars = fields.object("host_vars", faults).cloned().unwrap_or_default();
    for (name, vars) in &vars {
        check_host(name, vars, &pointer, faults);
    }
    vars
}

fn check_hosts(hosts: &[String], pointer: &str, faults: &mut Faults) {
    for (index, host) in hosts.iter().enumerate() {
        if host.contains(',') || host.trim().is_empty() {
            faults.add(format!("{pointer}/{index}"), "must be one host");
        }
    }
}

fn parse_data(fields: &mut Fields<'_>, faults: &mut Faults) -> Map<String, Value> {
    let pointer = fields.pointer("data");
    match fields.get("data") {
        Some(Value::Object(groups)) => {
            let before = faults.count();
            for (name, group) in groups {
                check_group(name, group, &pointer, faults);
            }
            if groups.contains_key("plugin") {
                let why = "is a name that Ansible keeps for the configuration of inventory plugins; put the group below `all`";
                faults.add(format!("{pointer}/plugin"), why);
            }
            if faults.count() == before && !groups.values().any(names_host) {
                faults.add(pointer, "names no host");
            }
            groups.clone()
        }
        Some(other) => {
            faults.add(pointer, format!("must be an object of groups, not {}", kind(other)));
            Map::new()
        }
        None => Map::new(),
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
    for (name, vars) in fields.object("hosts", faults).into_iter().flatten() {
        check_host(name, vars, &hosts, faults);
    }
    fields.object("vars", faults);
    let children = fields.pointer("children");
    for (name, child) in fields.object("children", faults).into_iter().flatten() {
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
    let pointer = format!("{parent}/{}", escape(name));
    if name.is_empty() || name.chars().any(char::is_control) {
        faults.add(
            pointer.as_str(),
            "must have a name that is not empty and without control characters",
        );
    }
    pointer
}

fn names_host(group: &Value) -> bool {
    let has = |name: &str| group.get(name).and_then(Value::as_object);
    has("hosts").is_some_and(|hosts| !hosts.is_empty())
        || has("children").is_some_and(|children| children.values().any(names_host))
}
