//! What a call of AWS shows and says, for programs that link no SDK of a cloud: signatures of version 4, the addresses and errors of its
//! services, the regions of ARNs; and tokens of any cloud that are kept until shortly before they expire.

mod arn;
mod endpoints;
mod errors;
mod sigv4;
mod tokens;

pub use arn::region_of_arn;
pub use endpoints::Endpoints;
pub use errors::AwsError;
pub use sigv4::{SignError, sign};
pub use tokens::{Fetched, Token, Tokens};
