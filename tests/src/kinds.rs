//! The list of job kinds that the programs use.

use std::sync::Arc;

use callboard_core::request::Kinds;
use callboard_kind_ansible::catalog::{Elsewhere, PlaybookCatalog};
use callboard_kind_ansible::kind::Ansible;

/// Makes the list with the default policy and no known playbooks.
#[must_use]
pub fn kinds() -> Kinds {
    kinds_with(Arc::new(Elsewhere))
}

/// Makes the list with the default policy and the given playbooks.
#[must_use]
pub fn kinds_with(playbooks: Arc<dyn PlaybookCatalog>) -> Kinds {
    let ansible = Ansible::new(Arc::default(), Arc::default(), playbooks);
    Kinds::new(Arc::new(ansible), Vec::new())
}
