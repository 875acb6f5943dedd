//! Many who read at once.

use std::fs;
use std::path::Path;

use callboard_core::base::id::Tenant;
use callboard_core::job::JobStore;
use callboard_embedded::{Database, SqliteJobStore};
use callboard_testkit::contract::samples::{create_many, now, query};
use tokio::task::JoinSet;

const JOBS: usize = 200;
const READERS: usize = 300;
/// The writer's files, and those of four readers.
const FILES: usize = 3 + 4 * 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_read_few_files_are_open_and_each_has_its_answer() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = SqliteJobStore::new(Database::open(&folder.path().join("jobs.db"))?);
    let tenant = Tenant::default();
    create_many(&store, &tenant, JOBS).await?;
    let mut reading = JoinSet::new();
    for _ in 0..READERS {
        let (store, query) = (store.clone(), query(&tenant));
        reading.spawn(async move { store.list(&query, now()).await });
    }
    let mut most = 0;
    while let Some(page) = reading.join_next().await {
        assert_eq!(page??.jobs.len(), 100);
        most = most.max(open_below(folder.path())?);
    }
    assert!(most <= FILES, "{most} files were open");
    Ok(())
}

/// Counts the files below a folder that this process has open.
fn open_below(folder: &Path) -> anyhow::Result<usize> {
    let open = fs::read_dir("/proc/self/fd")?.flatten();
    let paths = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    Ok(paths.filter(|path| path.starts_with(folder)).count())
}
