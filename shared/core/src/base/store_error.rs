//! Errors of stores and queues.

/// The cause of an adapter's error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What can go wrong with a store or a queue.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The item does not exist, or no longer exists.
    #[error("not found")]
    NotFound,
    /// The current state does not allow the call, or another caller was faster.
    #[error("conflict with the present state")]
    Conflict,
    /// The store could not be reached; trying again may help.
    #[error("the store is unavailable")]
    Unavailable(#[source] BoxError),
    /// The store does not accept the call: a permission, a name or a setting is wrong. Trying again does not help.
    #[error("the store rejects the call")]
    Rejected(#[source] BoxError),
    /// The store holds something that cannot be read.
    #[error("the store holds something unreadable")]
    Corrupt(#[source] BoxError),
}

impl StoreError {
    /// Returns the cause, for messages that need not mention the store; returns the error itself if it has no cause.
    #[must_use]
    pub fn cause(&self) -> &(dyn std::error::Error + 'static) {
        match self {
            Self::Unavailable(cause) | Self::Rejected(cause) | Self::Corrupt(cause) => &**cause,
            Self::NotFound | Self::Conflict => self,
        }
    }

    /// Returns whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
