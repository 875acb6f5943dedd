//! Who asks, and what they may do.

mod action;
mod caller;
mod key;
mod key_store;
mod pattern;
mod scope;
mod token_verifier;
mod uses;

pub use self::action::Action;
pub use self::caller::{Caller, Missing};
pub use self::key::{ApiKey, Former, KeyId, NotAKey, Presented, SecretHash};
pub use self::key_store::{KeyPage, KeyStore};
pub use self::pattern::{NotAPattern, Pattern};
pub use self::scope::{NotAScope, Scope, Scopes, Subject};
pub use self::token_verifier::{TokenVerifier, Unverified};
pub use self::uses::{Uses, What};
