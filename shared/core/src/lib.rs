//! The domain of Callboard: what a job is, what a request may say, and what happens to it.
//!
//! This crate knows nothing of AWS, HTTP, SQLite or Python. Adapters implement [`ports`]; the use cases
//! ([`submit`], [`execute`], [`cancel`], [`history`], [`sweep`]) are written over them.

pub mod access;
pub mod address;
pub mod attempt;
mod brief;
pub mod cancel;
pub mod causes;
pub mod credential;
pub mod cursor;
pub mod dispatch;
pub mod event;
pub mod execute;
pub mod fields;
pub mod history;
pub mod id;
pub mod inventory;
pub mod job;
pub mod json;
pub mod known_hosts;
pub mod options;
pub mod outage;
pub mod outcome;
pub mod output;
pub mod policy;
pub mod ports;
pub mod progress;
pub mod redact;
pub mod redrive;
pub mod reference;
pub mod repository;
pub mod request;
pub mod secret;
pub mod segment;
pub mod source;
mod status;
mod stream;
pub mod submit;
mod supervise;
pub mod sweep;
pub mod time;
mod verdict;
pub mod verify;
pub mod web_address;
