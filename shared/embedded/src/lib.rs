//! Adapters for one machine: jobs, their queue and credentials in SQLite; output, archives and host keys in plain files.

mod archive_cache;
mod blocking;
mod breakers;
mod credential_rows;
mod credential_store;
mod database;
mod error;
mod examination;
mod folder_lock;
mod forgetting;
mod host_keys;
mod idempotency;
mod job_queue;
mod job_store;
mod key_file;
mod lasting;
mod listing;
mod log_store;
mod rows;
mod schema;
mod sealing;
mod stats;

pub use archive_cache::FolderArchiveCache;
pub use breakers::SqliteBreakerStore;
pub use credential_store::{KeyRotation, SqliteCredentialStore};
pub use database::Database;
pub use error::OpenError;
pub use examination::{Examination, Records};
pub use folder_lock::{FolderLock, LockError};
pub use forgetting::{Forgetter, Stuck};
pub use host_keys::FileHostKeyStore;
pub use idempotency::SqliteIdempotencyStore;
pub use job_queue::{Message, SqliteQueue};
pub use job_store::SqliteJobStore;
pub use log_store::{AttemptFolder, FileLogStore};
pub use stats::SqliteStatsStore;
