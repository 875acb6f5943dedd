//! What a call shows of who sends it, for programs that link no SDK of a cloud: AWS's signatures of version 4 and the addresses of
//! its services, and tokens that are kept until shortly before they expire.

mod endpoints;
mod sigv4;
mod tokens;

pub use endpoints::Endpoints;
pub use sigv4::{SignError, sign};
pub use tokens::{Fetched, Token, Tokens};
