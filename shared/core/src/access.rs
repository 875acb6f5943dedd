//! Who asks, and what they may do.

mod action;
mod authenticator;
mod caller;
mod key;
mod key_store;
pub mod keys;
mod pattern;
mod requester;
mod rules;
mod scope;
mod scopes;
mod token_verifier;
mod uses;

pub use self::action::Action;
pub use self::authenticator::{Authenticator, Unknown};
pub use self::caller::{Caller, Missing};
pub use self::key::{ApiKey, Former, KeyId, NotAKey, NotAKeyId, Presented, SecretHash};
pub use self::key_store::{KeyPage, KeyStore};
pub use self::pattern::{NotAPattern, Pattern};
pub use self::requester::{Origin, Requester};
pub use self::rules::{CallerRules, IamRule, OidcRule};
pub use self::scope::{NotAScope, Scope};
pub use self::scopes::Scopes;
pub use self::token_verifier::{TokenVerifier, Unverified};
pub use self::uses::{Use, Uses};
