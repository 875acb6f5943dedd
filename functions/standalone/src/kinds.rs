//! The kinds of jobs that this program knows.

use std::sync::Arc;

use callboard_core::request::Kinds;
use callboard_kind_ansible::catalog::{Elsewhere, PlaybookCatalog};
use callboard_kind_ansible::kind::Ansible;
use callboard_policy::Policies;

/// Makes the list of kinds: what an operator allows of each, and what is there to run.
pub(crate) fn kinds(policies: Policies, playbooks: Arc<dyn PlaybookCatalog>) -> Kinds {
    let ansible = Ansible::new(policies.ansible, policies.every, playbooks);
    Kinds::new(Arc::new(ansible), Vec::new())
}

/// Makes the list for whoever shows jobs and accepts none.
pub(crate) fn shown() -> Kinds {
    kinds(Policies::default(), Arc::new(Elsewhere))
}
