//! Adapters for one machine: jobs and their queue in SQLite, output in plain files.

mod database;
mod error;
mod job_queue;
mod job_store;
mod listing;
mod log_store;
mod rows;

pub use database::Database;
pub use error::OpenError;
pub use job_queue::{Message, SqliteQueue};
pub use job_store::SqliteJobStore;
pub use log_store::FileLogStore;
