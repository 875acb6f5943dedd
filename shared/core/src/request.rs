//! Requests: the kinds of jobs, and what a request of each kind may say.

mod job_options;
mod job_request;
mod kind;
mod kinds;
mod lane;
mod reason;
mod results;
mod services;
mod variables;

pub use self::job_options::*;
pub use self::job_request::*;
pub use self::kind::*;
pub use self::kinds::*;
pub use self::lane::*;
pub use self::reason::*;
pub use self::results::*;
pub use self::services::*;
pub use self::variables::*;
