//! What every adapter of a port must do: one async function per behaviour, over the port's trait.
//!
//! An adapter's test file names a function that makes a fresh, empty subject and what must outlive it:
//!
//! ```ignore
//! async fn make_store() -> anyhow::Result<(SqliteJobStore, TempDir)> { ... }
//! callboard_tests::job_store_contract!(make_store);
//! ```
//!
//! A behaviour that does not hold fails with an error or an assertion; nothing here knows an adapter.

pub mod archive_cache;
pub mod clock;
pub mod credential_store;
pub mod damaged_records;
pub mod host_key_store;
pub mod idempotency_store;
pub mod job_queue;
pub mod job_store;
pub mod log_store;
pub mod runner;
pub mod samples;

/// Expands into one named test for each listed behaviour of a suite.
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
