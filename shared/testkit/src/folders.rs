//! Where the product keeps what tests share with it.

use std::path::PathBuf;

use anyhow::Context;

/// Returns the folder where the program keeps the Ansible environment.
///
/// # Errors
/// This user has no home.
pub fn cache() -> anyhow::Result<PathBuf> {
    if let Some(cache) = std::env::var_os("CALLBOARD_CACHE") {
        return Ok(cache.into());
    }
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| Some(std::env::home_dir()?.join(".cache")));
    Ok(base.context("this user has no home")?.join("callboard"))
}
