//! Why a container could not be run.

use bollard::errors::Error;
use callboard_core::base::store_error::StoreError;

/// Why a container could not be run, or not to its end.
pub(crate) enum Fault {
    /// The engine failed; the first says what it was to do.
    Engine(&'static str, Error),
    /// The engine does not make such a container.
    Refused(Error),
    /// What was killed does not end.
    Alive,
    Store(StoreError),
}
