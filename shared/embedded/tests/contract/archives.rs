//! A folder as an archive cache.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, ensure};
use callboard_core::run::ArchiveCache;
use callboard_embedded::FolderArchiveCache;
use tempfile::TempDir;

const BYTES: usize = 1000;

pub(crate) async fn make() -> anyhow::Result<(FolderArchiveCache, TempDir)> {
    let folder = tempfile::tempdir()?;
    let cache = FolderArchiveCache::new(folder.path().join("archives"), 100 << 20);
    Ok((cache, folder))
}

#[tokio::test]
async fn a_folder_that_grows_too_large_loses_what_was_used_least_recently() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let cache = FolderArchiveCache::new(folder.path().join("archives"), 3 * BYTES as u64);
    for key in ["a/1", "a/2", "b/3"] {
        put(&cache, folder.path(), key, BYTES).await?;
    }
    cache.get("a/1", folder.path()).await?.context("a/1 is there")?;
    put(&cache, folder.path(), "b/4", BYTES).await?;
    assert_eq!(kept(&cache, folder.path()).await?, ["a/1", "b/3", "b/4"]);
    put(&cache, folder.path(), "b/5", 3 * BYTES).await?;
    assert_eq!(kept(&cache, folder.path()).await?, ["b/5"]);
    put(&cache, folder.path(), "a/1", 3 * BYTES + 1).await?;
    assert_eq!(kept(&cache, folder.path()).await?, ["b/5"]);
    Ok(())
}

#[tokio::test]
async fn archives_are_their_owners_and_nothing_else_is_left() -> anyhow::Result<()> {
    let (cache, folder) = make().await?;
    put(&cache, folder.path(), "a", BYTES).await?;
    let found = cache.get("a", folder.path()).await?.context("a is there")?;
    ensure!(std::fs::metadata(&found.path)?.permissions().mode() & 0o077 == 0);
    let root = found.path.parent().context("a folder")?;
    ensure!(std::fs::metadata(root)?.permissions().mode() & 0o077 == 0);
    ensure!(std::fs::read_dir(root.join(".staging"))?.count() == 0);
    Ok(())
}

async fn put(cache: &FolderArchiveCache, folder: &Path, key: &str, bytes: usize) -> anyhow::Result<()> {
    let file = folder.join("file");
    std::fs::write(&file, vec![7; bytes])?;
    cache.put(key, &file).await?;
    // so that no two are used at the same time
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    Ok(())
}

/// Looks without using them.
async fn kept(cache: &FolderArchiveCache, folder: &Path) -> anyhow::Result<Vec<String>> {
    let root = folder.join("archives");
    let keys = ["a/1", "a/2", "b/3", "b/4", "b/5"];
    ensure!(cache.get("a/2", folder).await?.is_none());
    let there = keys.iter().filter(|key| root.join(key).is_file());
    Ok(there.map(|key| (*key).to_owned()).collect())
}
