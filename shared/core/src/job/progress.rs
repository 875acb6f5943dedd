//! How far a running job has come, in the words of its kind.

use crate::base::object::Object;

/// What a kind tells of a job that runs, such as the present task.
pub type Progress = Object;
