//! Jobs: records, leases, states, outcomes, lists, and the ports to their store and queue.

mod attempt;
mod cancel_request;
mod cursor;
mod dead_letter;
mod filter;
mod history;
mod lease;
mod outcome;
mod progress;
mod queue;
mod record;
mod sketch;
mod state;
mod stats;
mod status;
mod store;
mod ticket;
mod usage;

pub use self::attempt::*;
pub use self::cancel_request::*;
pub use self::cursor::*;
pub use self::dead_letter::*;
pub use self::filter::*;
pub use self::history::*;
pub use self::lease::*;
pub use self::outcome::*;
pub use self::progress::*;
pub use self::queue::*;
pub use self::record::*;
pub use self::sketch::*;
pub use self::state::*;
pub use self::stats::*;
pub use self::status::*;
pub use self::store::*;
pub use self::ticket::*;
pub use self::usage::*;
