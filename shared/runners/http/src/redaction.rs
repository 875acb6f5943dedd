//! The secrets of a job, some of which become known only while it runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use callboard_core::base::secret::Secret;
use callboard_core::redact::{Redactor, TooLarge};

/// Redacts what is known to be secret by now.
pub(crate) struct Redaction(Mutex<Known>);

struct Known {
    secrets: Vec<Secret>,
    redactor: Arc<Redactor>,
}

impl Redaction {
    pub(crate) fn new(secrets: Vec<Secret>) -> Result<Self, TooLarge> {
        let redactor = Arc::new(Redactor::new(&secrets)?);
        Ok(Self(Mutex::new(Known { secrets, redactor })))
    }

    /// Adds a secret; what was redacted before stays as it is.
    pub(crate) fn add(&self, secret: Secret) -> Result<(), TooLarge> {
        let mut known = self.known();
        known.secrets.push(secret);
        known.redactor = Arc::new(Redactor::new(&known.secrets)?);
        Ok(())
    }

    /// Returns the redactor of all secrets that are known by now.
    pub(crate) fn current(&self) -> Arc<Redactor> {
        Arc::clone(&self.known().redactor)
    }

    pub(crate) fn text(&self, text: &str) -> String {
        self.current().text(text)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
