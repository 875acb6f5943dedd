//! The audit log: who has changed what, and who was refused.

mod check;
mod deed;
mod entry;
mod filter;
mod log;

pub use self::check::{AuditCheck, AuditFindings};
pub use self::deed::Deed;
pub use self::entry::{AuditOutcome, AuditProblem, Entry, NewEntry, NotAnOutcome, Tip};
pub use self::filter::{ActionFilter, AuditFilter, NotAnAction};
pub use self::log::{AuditLog, AuditPage, AuditQuery, note};
