//! Who asks, and what they may do.

mod action;
mod authenticator;
mod caller;
mod key;
mod key_store;
pub mod keys;
mod pattern;
mod presented;
mod requester;
mod rules;
mod scope;
mod scopes;
mod session;
pub mod sessions;
mod token_verifier;
mod uses;

pub use self::action::Action;
pub use self::authenticator::{Authenticator, By, Known, Unknown};
pub use self::caller::{Caller, Missing};
pub use self::key::{ApiKey, Former, KeyKind};
pub use self::key_store::{KeyPage, KeyStore};
pub use self::pattern::{NotAPattern, Pattern};
pub use self::presented::{KeyId, NotAKey, NotAKeyId, Presented, SecretHash};
pub use self::requester::{Origin, Requester};
pub use self::rules::{CallerRules, IamRule, OidcRule};
pub use self::scope::{NotAScope, Scope};
pub use self::scopes::Scopes;
pub use self::session::{Parent, Session};
pub use self::token_verifier::{TokenVerifier, Unverified};
pub use self::uses::{Use, Uses};
