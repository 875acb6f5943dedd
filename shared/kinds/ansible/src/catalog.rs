//! Which playbooks there are.

/// Why a playbook cannot be run.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PlaybookError {
    /// There is none of that name.
    #[error("there is no playbook {0:?} in the playbooks folder")]
    NotFound(String),
    /// The name leads out of the folder, or to something that is no file.
    #[error("{0:?} is no file inside the playbooks folder")]
    Outside(String),
}

/// Knows which playbooks there are, where that can be known before a job runs.
pub trait PlaybookCatalog: Send + Sync {
    /// Checks that a playbook is there.
    ///
    /// # Errors
    /// [`PlaybookError`] says why it cannot be run.
    fn check(&self, playbook: &str) -> Result<(), PlaybookError>;
}

/// Knows of no playbook: a function of AWS that accepts jobs has none, and the worker's image has them.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere;

impl PlaybookCatalog for Elsewhere {
    fn check(&self, _playbook: &str) -> Result<(), PlaybookError> {
        Ok(())
    }
}
