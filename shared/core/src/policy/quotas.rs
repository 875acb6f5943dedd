//! How much of the service each tenant may use: the field `quotas` of a policy.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::fields::{Faults, Fields};
use crate::base::id::Tenant;

/// Stands for every tenant, as far as its own entry says nothing.
const EVERY: &str = "*";
/// The largest quota of running jobs: stores may keep them all in one item.
const MAX_RUNNING: u64 = 1000;
/// The largest quota of waiting jobs: they are counted one by one.
const MAX_WAITING: u64 = 100_000;
const MAX_SUBMISSIONS: u64 = 1_000_000;
/// 1 PiB.
const MAX_BYTES: u64 = 1 << 50;

/// What a tenant may use; what is absent is not limited.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Quota {
    /// How many of its jobs may be with the workers at a time; the others wait.
    pub running: Option<u32>,
    /// How many of its jobs may wait when another is submitted.
    pub waiting: Option<u32>,
    /// How many jobs it may submit in a minute of the clock.
    pub submissions_per_minute: Option<u32>,
    /// How many bytes of output may be kept of its jobs when another is submitted.
    pub stored_bytes: Option<u64>,
}

/// The quotas of all tenants. Clones share them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Quotas(Arc<BTreeMap<String, Quota>>);

impl Quotas {
    /// Reads the field `quotas` of a policy; adds every fault with its pointer.
    pub fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let pointer = fields.pointer("quotas");
        let Some(tenants) = fields.object("quotas", faults) else {
            return Self::default();
        };
        let names = Fields::of_map(tenants, &pointer);
        let mut quotas = BTreeMap::new();
        for (name, value) in tenants {
            let pointer = names.pointer(name);
            if name != EVERY
                && let Err(error) = name.parse::<Tenant>()
            {
                faults.add(
                    pointer.as_str(),
                    format!("is the name of no tenant, which {error}; {EVERY:?} is for all others"),
                );
            }
            if let Some(fields) = Fields::of(value, &pointer, faults) {
                quotas.insert(name.clone(), Quota::read(fields, faults));
            }
        }
        Self(Arc::new(quotas))
    }

    /// Returns what a tenant may use: what its own entry says, and otherwise what that of all says.
    #[must_use]
    pub fn of(&self, tenant: &Tenant) -> Quota {
        let every = self.0.get(EVERY).copied().unwrap_or_default();
        let own = self.0.get(tenant.as_str()).copied().unwrap_or_default();
        Quota {
            running: own.running.or(every.running),
            waiting: own.waiting.or(every.waiting),
            submissions_per_minute: own.submissions_per_minute.or(every.submissions_per_minute),
            stored_bytes: own.stored_bytes.or(every.stored_bytes),
        }
    }
}

impl Quota {
    fn read(mut fields: Fields<'_>, faults: &mut Faults) -> Self {
        let mut number = |name, max| {
            let number = fields.integer(name, 1, max, faults)?;
            u32::try_from(number).ok()
        };
        let (running, waiting) = (number("running", MAX_RUNNING), number("waiting", MAX_WAITING));
        let submissions_per_minute = number("submissions_per_minute", MAX_SUBMISSIONS);
        let stored_bytes = fields.integer("stored_bytes", 1, MAX_BYTES, faults);
        fields.finish(faults);
        Self {
            running,
            waiting,
            submissions_per_minute,
            stored_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(quotas: &Value) -> Result<Quotas, Vec<String>> {
        let (policy, mut faults) = (json!({"quotas": quotas}), Faults::default());
        let read = Fields::of(&policy, "", &mut faults).map(|mut fields| Quotas::read(&mut fields, &mut faults));
        let faults: Vec<String> = faults.into_inner().into_iter().map(|fault| fault.pointer).collect();
        read.filter(|_| faults.is_empty()).ok_or(faults)
    }

    #[test]
    fn a_tenant_has_what_its_own_entry_says_and_otherwise_what_that_of_all_says() -> Result<(), Vec<String>> {
        let quotas = read(&json!({"*": {"running": 4, "waiting": 100}, "web": {"running": 8, "stored_bytes": 1024}}))?;
        let of = |tenant: &str| quotas.of(&Tenant::from(tenant.to_owned()));
        let every = Quota {
            running: Some(4),
            waiting: Some(100),
            ..Quota::default()
        };
        assert_eq!(of("mail"), every);
        let web = Quota {
            running: Some(8),
            stored_bytes: Some(1024),
            ..every
        };
        assert_eq!(of("web"), web);
        Ok(())
    }

    #[test]
    fn what_is_no_quota_is_refused() {
        for (quotas, pointer) in [
            (json!(1), "/quotas"),
            (json!({"Web!": {}}), "/quotas/Web!"),
            (json!({"web": 1}), "/quotas/web"),
            (json!({"web": {"running": 0}}), "/quotas/web/running"),
            (json!({"web": {"running": 1001}}), "/quotas/web/running"),
            (json!({"web": {"waiting": 100_001}}), "/quotas/web/waiting"),
            (json!({"web": {"cpus": 1}}), "/quotas/web/cpus"),
        ] {
            assert_eq!(read(&quotas), Err(vec![pointer.to_owned()]), "{quotas}");
        }
    }
}
