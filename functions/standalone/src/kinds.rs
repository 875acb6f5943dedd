//! The kinds of jobs, for whoever shows jobs or has looked at the playbook already.

use std::sync::Arc;

use callboard_core::request::Kinds;
use callboard_kind_ansible::catalog::Elsewhere;
use callboard_policy::Policies;

/// Lists the kinds; of none of them it is known what there is to run.
pub(crate) fn shown() -> Kinds {
    Policies::default().kinds(Arc::new(Elsewhere))
}
