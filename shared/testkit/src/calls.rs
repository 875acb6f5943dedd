//! Services that jobs call: servers that answer as a test wants, and the runs of jobs that call them.

mod keeper;
mod run;
mod server;
mod signed;
mod tls;
mod workshop;

pub use keeper::Keeper;
pub use run::{Run, job, never, run};
pub use server::{Given, JSON, Seen, Server};
pub use tls::{Authority, Issued, TlsListener, in_a_process_that_trusts};
pub use workshop::{Calling, Failure};
