//! What can go wrong with a store or a queue.

/// What lies under an error of an adapter.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What can go wrong with a store or a queue.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such thing, or no longer.
    #[error("not found")]
    NotFound,
    /// The state does not allow it, or somebody else was faster.
    #[error("conflict with the present state")]
    Conflict,
    /// The store could not be asked; trying again may help.
    #[error("the store is unavailable")]
    Unavailable(#[source] BoxError),
    /// The store does not take such a call: a permission, a name or a setting is wrong. Trying again does not help.
    #[error("the store rejects the call")]
    Rejected(#[source] BoxError),
    /// The store holds something that cannot be read.
    #[error("the store holds something unreadable")]
    Corrupt(#[source] BoxError),
}

impl StoreError {
    /// Returns what lies under it, for words that need not say that a store was asked; itself, where nothing does.
    #[must_use]
    pub fn cause(&self) -> &(dyn std::error::Error + 'static) {
        match self {
            Self::Unavailable(cause) | Self::Rejected(cause) | Self::Corrupt(cause) => &**cause,
            Self::NotFound | Self::Conflict => self,
        }
    }

    /// Tells whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
