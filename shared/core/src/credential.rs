//! Credentials: their kinds, how requests name them, and where they are stored.

mod client_certificate;
mod cloud;
mod host_keys;
mod hosts;
mod kind;
mod kinds;
pub mod known_hosts;
mod parse;
mod reference;
mod secrets;
mod store;
mod texts;
mod value;

pub use self::client_certificate::*;
pub use self::cloud::*;
pub use self::host_keys::*;
pub use self::hosts::*;
pub use self::kind::*;
pub use self::kinds::{is_header, is_role};
pub use self::parse::parse_name;
pub use self::reference::*;
pub use self::secrets::*;
pub use self::store::*;
pub use self::value::*;
