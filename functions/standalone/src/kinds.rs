//! The kinds of jobs, for commands that only show jobs or have already checked the playbook.

use std::sync::Arc;

use callboard_core::request::{Kinds, Lane};
use callboard_kind_ansible::catalog::Elsewhere;
use callboard_policy::Policies;

/// Lists the kinds, without knowing which playbooks and services there are.
pub(crate) fn shown() -> Kinds {
    Policies::default().kinds(Arc::new(Elsewhere), Arc::default(), Lane::Programs)
}
