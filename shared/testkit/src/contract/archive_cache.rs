//! The behaviour of every [`ArchiveCache`].

use anyhow::{Context, ensure};
use callboard_core::base::store_error::StoreError;
use callboard_core::run::{Archive, ArchiveCache};
use futures_util::future::try_join_all;
use tempfile::TempDir;

use crate::contract::samples::now;

const KEY: &str = "git/0a1b-2c3d/4e5f.tar";

/// Expands into one test per behaviour; `$make` returns an empty cache and whatever must outlive it.
#[macro_export]
macro_rules! archive_cache_contract {
    ($make:path) => {
        $crate::contract_tests! { $make, archive_cache, [
            what_is_put_is_had_under_its_key_alone,
            an_archive_that_is_put_again_takes_the_place_of_the_first,
            an_archive_is_whole_whoever_puts_it_at_the_same_time,
            what_is_no_key_is_rejected,
        ] }
    };
}

/// Puts one archive and asks for three keys.
///
/// # Errors
/// The behaviour does not hold.
pub async fn what_is_put_is_had_under_its_key_alone(cache: &dyn ArchiveCache) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    ensure!(cache.get(KEY, folder.path()).await?.is_none());
    let before = now();
    let content = (0..3_000_000_u32)
        .map(|number| (number % 251) as u8)
        .collect::<Vec<_>>();
    put(cache, KEY, &content).await?;
    let archive = get(cache, &folder).await?;
    ensure!(std::fs::read(&archive.path)? == content, "the archive differs");
    // stores keep whole seconds
    let made = archive.made_at.as_millis() / 1000;
    ensure!(made >= before.as_millis() / 1000 && made <= now().as_millis() / 1000);
    for other in ["git/0a1b-2c3d", "git/0a1b-2c3d/4e5f.tar.gz"] {
        ensure!(cache.get(other, folder.path()).await?.is_none(), "{other} is there");
    }
    Ok(())
}

/// Puts two archives under one key.
///
/// # Errors
/// The behaviour does not hold.
pub async fn an_archive_that_is_put_again_takes_the_place_of_the_first(cache: &dyn ArchiveCache) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    put(cache, KEY, b"the first, and the longer one").await?;
    put(cache, KEY, b"the second").await?;
    ensure!(std::fs::read(get(cache, &folder).await?.path)? == b"the second");
    Ok(())
}

/// Puts and gets under one key at the same time.
///
/// # Errors
/// The behaviour does not hold.
pub async fn an_archive_is_whole_whoever_puts_it_at_the_same_time(cache: &dyn ArchiveCache) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let contents: Vec<Vec<u8>> = (0..6_u8)
        .map(|number| vec![number; 100_000 + usize::from(number)])
        .collect();
    put(cache, KEY, &contents[0]).await?;
    let puts = try_join_all(contents.iter().map(|content| put(cache, KEY, content)));
    let gets = try_join_all((0..6).map(|_| get(cache, &folder)));
    let (_, found) = tokio::try_join!(puts, gets)?;
    for archive in found {
        let read = std::fs::read(archive.path)?;
        ensure!(contents.contains(&read), "{} bytes of several archives", read.len());
    }
    Ok(())
}

/// Gets and puts with keys that would lead elsewhere.
///
/// # Errors
/// The behaviour does not hold.
pub async fn what_is_no_key_is_rejected(cache: &dyn ArchiveCache) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    std::fs::write(&file, "content")?;
    for key in [
        "",
        "/etc/passwd",
        "a//b",
        "../a",
        "a/../b",
        "a/.",
        ".a",
        "a/",
        "a b",
        "a\\b",
        "a\0",
        "ä",
    ] {
        let put = cache.put(key, &file).await;
        ensure!(matches!(put, Err(StoreError::Rejected(_))), "{key:?}: {put:?}");
        let got = cache.get(key, folder.path()).await;
        ensure!(matches!(got, Err(StoreError::Rejected(_))), "{key:?}: {got:?}");
    }
    Ok(())
}

async fn put(cache: &dyn ArchiveCache, key: &str, content: &[u8]) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    std::fs::write(&file, content)?;
    Ok(cache.put(key, &file).await?)
}

async fn get(cache: &dyn ArchiveCache, folder: &TempDir) -> anyhow::Result<Archive> {
    cache.get(KEY, folder.path()).await?.context("the archive is not there")
}
