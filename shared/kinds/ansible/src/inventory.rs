//! Inventories: the hosts that a job works on.

mod inline;
mod remote;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

pub use self::inline::InlineInventory;
pub use self::remote::{DynamicInventory, GitInventory, UrlFormat, UrlInventory, placeholders};
use callboard_core::base::fields::{Faults, Fields, kind};
use callboard_core::credential::CredentialUse;

const MAX_HOST_LIST_BYTES: usize = 1 << 20;
const MAX_INVENTORIES: usize = 100;

/// The hosts that a job runs on.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Inventory {
    /// Host names, separated or followed by commas: `"localhost,"`, `"a,b,"`. Text without a comma is a path, which only
    /// `callboard run -i` accepts.
    #[schema(example = "localhost,")]
    Text(String),
    /// An inventory object.
    Typed(TypedInventory),
    /// Several inventories, merged in order, like several `-i` flags.
    #[schema(value_type = Vec<OneInventory>)]
    Several(Vec<Inventory>),
}

/// One inventory of a list. It cannot be a list itself.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what a list of inventories holds")]
enum OneInventory {
    /// Host names, separated or followed by commas.
    #[schema(example = "localhost,")]
    Text(String),
    /// An inventory object.
    Typed(TypedInventory),
}

/// An inventory object; `type` says where the inventory comes from.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum TypedInventory {
    /// In the request.
    Inline(InlineInventory),
    /// In a Git repository.
    Git(GitInventory),
    /// At a URL.
    Url(UrlInventory),
    /// Made by an inventory plugin.
    Dynamic(DynamicInventory),
}

impl Default for Inventory {
    fn default() -> Self {
        Self::Text("localhost,".to_owned())
    }
}

impl Inventory {
    /// Reads an inventory, or a list of them, from a request; adds each fault with its pointer.
    pub fn parse(value: &Value, pointer: &str, faults: &mut Faults) -> Self {
        match value {
            Value::Array(items) if items.len() > MAX_INVENTORIES => {
                faults.add(pointer, format!("must have at most {MAX_INVENTORIES} inventories"));
                Self::default()
            }
            Value::Array(items) if !items.is_empty() => {
                let item = |(index, item)| Self::parse_one(item, &format!("{pointer}/{index}"), faults);
                Self::Several(items.iter().enumerate().map(item).collect())
            }
            Value::Array(_) => {
                faults.add(pointer, "must not be an empty list");
                Self::default()
            }
            _ => Self::parse_one(value, pointer, faults),
        }
    }

    /// Returns the inventories that this one consists of, in order.
    #[must_use]
    pub fn parts(&self) -> &[Self] {
        match self {
            Self::Several(several) => several,
            one => std::slice::from_ref(one),
        }
    }

    /// Returns the same, each with its pointer.
    pub(crate) fn places(&self, pointer: &str) -> impl Iterator<Item = (String, &Self)> {
        let place = move |(index, part)| match self {
            Self::Several(_) => (format!("{pointer}/{index}"), part),
            _ => (pointer.to_owned(), part),
        };
        self.parts().iter().enumerate().map(place)
    }

    /// Adds the stored credentials that it names.
    pub(crate) fn uses(&self, pointer: &str, uses: &mut Vec<CredentialUse>) {
        match self {
            Self::Text(_) | Self::Typed(TypedInventory::Inline(_)) => {}
            Self::Typed(TypedInventory::Git(git)) => git.uses(pointer, uses),
            Self::Typed(TypedInventory::Url(url)) => url.uses(pointer, uses),
            Self::Typed(TypedInventory::Dynamic(dynamic)) => dynamic.uses(pointer, uses),
            Self::Several(_) => {
                for (pointer, one) in self.places(pointer) {
                    one.uses(&pointer, uses);
                }
            }
        }
    }

    fn parse_one(value: &Value, pointer: &str, faults: &mut Faults) -> Self {
        match value {
            Value::String(hosts) => {
                check_host_list(hosts, pointer, faults);
                Self::Text(hosts.clone())
            }
            Value::Object(_) => parse_typed(value, pointer, faults).map(Self::Typed).unwrap_or_default(),
            other => {
                let detail = "must be a string such as \"localhost,\" or an object with a type";
                faults.add(pointer, format!("{detail}, not {}", kind(other)));
                Self::default()
            }
        }
    }
}

fn parse_typed(value: &Value, pointer: &str, faults: &mut Faults) -> Option<TypedInventory> {
    let mut fields = Fields::of(value, pointer, faults)?;
    let inventory = match fields.variant("type", &["inline", "git", "url", "dynamic"], faults)? {
        "inline" => TypedInventory::Inline(InlineInventory::parse(&mut fields, faults)),
        "git" => TypedInventory::Git(GitInventory::parse(&mut fields, faults)),
        "url" => TypedInventory::Url(UrlInventory::parse(&mut fields, faults)),
        _ => TypedInventory::Dynamic(DynamicInventory::parse(&mut fields, faults)),
    };
    fields.finish(faults);
    Some(inventory)
}

fn check_host_list(hosts: &str, pointer: &str, faults: &mut Faults) {
    if hosts.chars().any(char::is_control) {
        faults.add(pointer, "must not hold control characters");
    } else if hosts.len() > MAX_HOST_LIST_BYTES {
        faults.add(pointer, format!("must have at most {MAX_HOST_LIST_BYTES} bytes"));
    } else if hosts.trim().is_empty() {
        faults.add(pointer, "names no host");
    } else if !hosts.contains(',') {
        faults.add(
            pointer,
            "must be a list of hosts with a comma, as in \"web1,\"; files on the service's machine are not accepted"
                .to_owned(),
        );
    } else if hosts.split(',').all(|host| host.trim().is_empty()) {
        faults.add(pointer, "names no host");
    }
}
