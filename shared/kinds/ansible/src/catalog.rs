//! The playbooks that exist.

/// Why a playbook cannot be run.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PlaybookError {
    /// There is no playbook of that name.
    #[error("there is no playbook {0:?} in the playbooks folder")]
    NotFound(String),
    /// The name leads out of the folder, or to something that is not a file.
    #[error("{0:?} is no file inside the playbooks folder")]
    Outside(String),
}

/// Knows which playbooks exist, if that can be known before a job runs.
pub trait PlaybookCatalog: Send + Sync {
    /// Checks that a playbook exists.
    ///
    /// # Errors
    /// [`PlaybookError`] says why it cannot be run.
    fn check(&self, playbook: &str) -> Result<(), PlaybookError>;
}

/// A catalog that refuses nothing: the AWS function that accepts jobs has no playbooks; they are in the worker's image.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere;

impl PlaybookCatalog for Elsewhere {
    fn check(&self, _playbook: &str) -> Result<(), PlaybookError> {
        Ok(())
    }
}
