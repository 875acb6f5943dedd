//! The port to tokens of OpenID Connect.

use std::error::Error;

use async_trait::async_trait;

use super::caller::Caller;
use crate::base::time::Timestamp;

/// Finds out who shows a token.
#[async_trait]
pub trait TokenVerifier: Send + Sync {
    /// Returns who shows a token.
    ///
    /// # Errors
    /// [`Unverified`] says why that is not known.
    async fn verify(&self, token: &str, now: Timestamp) -> Result<Caller, Unverified>;
}

/// Why a token does not tell who shows it.
#[derive(Debug, thiserror::Error)]
pub enum Unverified {
    /// It is not valid here. The text says why, in a sentence without anything of the token that could be misused.
    #[error("{0}")]
    Refused(String),
    /// Its issuer cannot be asked at the moment.
    #[error("the issuer of the token cannot be asked")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}
