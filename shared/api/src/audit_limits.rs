//! Keeps a flood of refusals and failures out of the audit log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use callboard_core::audit::NewEntry;
use callboard_core::base::id::Tenant;

use crate::access::{Counts, network};

/// How many refusals, and how many failures, of a caller or an address the audit log has in a minute.
const MOST: u32 = 20;

/// Limits how many refusals and failures the audit log has. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct AuditLimits(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    written: Counts,
    left_out: Mutex<HashMap<Tenant, u64>>,
}

impl AuditLimits {
    /// Returns how many entries of the tenant were left out since the one before, if this one is to be written; counts it otherwise. What was
    /// done is always written.
    pub(crate) fn admit(&self, entry: &NewEntry) -> Option<u64> {
        let mut left_out = self.0.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(problem) = &entry.problem {
            let who = entry
                .subject
                .clone()
                .unwrap_or_else(|| network(entry.source_ip.as_deref()));
            // what is refused at will does not hide what fails
            let counted = format!("{} {who}", problem.outcome().as_str());
            if self.0.written.count(&counted) > MOST {
                *left_out.entry(entry.tenant.clone()).or_default() += 1;
                return None;
            }
        }
        Some(left_out.remove(&entry.tenant).unwrap_or_default())
    }
}
