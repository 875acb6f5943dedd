//! How far a running job has got, in the terms of its kind.

use crate::base::object::Object;

/// What a kind reports about a running job, such as the current task.
pub type Progress = Object;
