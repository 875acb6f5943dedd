//! The behaviour that every adapter of a port must have: one async function per behaviour, written against the port's trait.
//!
//! An adapter's test file names a function that returns a fresh, empty subject and whatever must outlive it:
//!
//! ```ignore
//! async fn make_store() -> anyhow::Result<(SqliteJobStore, TempDir)> { ... }
//! callboard_testkit::job_store_contract!(make_store);
//! ```
//!
//! If a behaviour is missing, the function returns an error or an assertion fails. Nothing here depends on a particular adapter.

pub mod archive_cache;
pub mod audit_log;
pub mod breaker_store;
pub mod clock;
pub mod counter_store;
pub mod credential_store;
pub mod damaged_records;
pub mod host_key_store;
pub mod idempotency_store;
pub mod job_queue;
pub mod job_store;
pub mod key_store;
pub mod log_store;
pub mod runner;
pub mod samples;
pub mod slot_store;
pub mod stats_store;

/// Expands into one named test per behaviour of a suite.
#[macro_export]
macro_rules! contract_tests {
    ($make:path, $suite:ident, [$($behaviour:ident,)*]) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() -> anyhow::Result<()> {
                let (subject, _kept) = $make().await?;
                $crate::contract::$suite::$behaviour(&subject).await
            }
        )*
    };
}
