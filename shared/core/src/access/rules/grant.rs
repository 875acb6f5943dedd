//! What a rule grants.

use serde_json::Value;

use super::MAX_LINE_BYTES;
use crate::access::caller::Caller;
use crate::access::scope::{Scope, Scopes};
use crate::base::fields::{Faults, Fields, kind};
use crate::base::id::Tenant;

/// A tenant, and what its caller may do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Grant {
    tenant: Tenant,
    scopes: Scopes,
}

impl Grant {
    /// Reads the fields `tenant` and `scopes`; adds every fault with its pointer.
    pub(super) fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        Self {
            tenant: read_tenant(fields, faults),
            scopes: read_scopes(fields, faults),
        }
    }

    /// Returns what it grants.
    pub(super) fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Returns whom it is granted to.
    pub(super) fn caller(&self, name: String, subject: String) -> Caller {
        Caller {
            tenant: self.tenant.clone(),
            name,
            subject,
            scopes: self.scopes.clone(),
            until: None,
        }
    }
}

fn read_tenant(fields: &mut Fields<'_>, faults: &mut Faults) -> Tenant {
    let Some(name) = fields.line("tenant", MAX_LINE_BYTES, faults) else {
        return Tenant::default();
    };
    name.parse().unwrap_or_else(|error| {
        faults.add(fields.pointer("tenant"), format!("{error}"));
        Tenant::default()
    })
}

fn read_scopes(fields: &mut Fields<'_>, faults: &mut Faults) -> Scopes {
    let pointer = fields.pointer("scopes");
    let items = match fields.get("scopes") {
        Some(Value::Array(items)) if !items.is_empty() => items,
        None => {
            faults.add(
                pointer,
                "is missing; it lists what the caller may do, as in [jobs:run, \"jobs:read[own]\"]",
            );
            return Scopes::default();
        }
        Some(_) => {
            faults.add(
                pointer,
                "must be a list of at least one scope, as in [jobs:run, \"jobs:read[own]\"]",
            );
            return Scopes::default();
        }
    };
    let numbered = items.iter().enumerate();
    let scopes = numbered.filter_map(|(index, item)| {
        let scope = match item {
            Value::String(text) => text.parse::<Scope>().map_err(|error| error.to_string()),
            other => Err(format!("must be a string, not {}", kind(other))),
        };
        scope
            .map_err(|detail| faults.add(format!("{pointer}/{index}"), detail))
            .ok()
    });
    Scopes(scopes.collect())
}
