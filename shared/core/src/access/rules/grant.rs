//! What a rule grants.

use super::MAX_LINE_BYTES;
use crate::access::caller::Caller;
use crate::access::scopes::Scopes;
use crate::base::fields::{Faults, Fields};
use crate::base::id::{NotATenant, Tenant};

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
            tenant: tenant(fields, faults).unwrap_or_default(),
            scopes: Scopes::read(fields, faults),
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
            logs_in: false,
        }
    }
}

/// Reads the field `tenant`; adds a fault if it is no name.
pub(in crate::access) fn tenant(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Tenant> {
    let name = fields.line("tenant", MAX_LINE_BYTES, faults)?;
    name.parse()
        .map_err(|error: NotATenant| faults.add(fields.pointer("tenant"), error.to_string()))
        .ok()
}
