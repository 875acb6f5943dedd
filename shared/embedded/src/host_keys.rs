//! [`HostKeyStore`] in files: one per tenant, in the format of `known_hosts`, so that ssh's own tools can read them too.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::credential::HostKeyStore;
use callboard_core::credential::known_hosts::HostKey;

use crate::blocking::{blocking, or_absent};

/// The name of the lock file; no tenant's name begins with a dot.
const LOCK: &str = ".lock";
const STAGED: &str = ".new";

/// Keeps host keys below one folder of a data folder, which only the owner can read.
#[derive(Clone, Debug)]
pub struct FileHostKeyStore {
    data: PathBuf,
}

impl FileHostKeyStore {
    /// Uses the folder `known_hosts` of a data folder; it is made when the first key is kept.
    #[must_use]
    pub fn new(data: PathBuf) -> Self {
        Self { data }
    }

    fn root(&self) -> PathBuf {
        self.data.join("known_hosts")
    }

    fn path(&self, tenant: &Tenant) -> Result<PathBuf, StoreError> {
        let name = tenant.as_str();
        if name.is_empty() || name.starts_with('.') || name.contains('/') {
            return Err(StoreError::Rejected(format!("{name:?} is no name of a file").into()));
        }
        Ok(self.root().join(name))
    }
}

#[async_trait]
impl HostKeyStore for FileHostKeyStore {
    async fn load(&self, tenant: &Tenant) -> Result<Vec<HostKey>, StoreError> {
        let path = self.path(tenant)?;
        let text = blocking(move || read(&path)).await?;
        Ok(keys(&text).collect())
    }

    async fn keep(&self, tenant: &Tenant, keys: &[HostKey]) -> Result<(), StoreError> {
        let (path, new) = (self.path(tenant)?, keys.to_vec());
        let add = move |text: &str| {
            let mut hosts: HashSet<String> = self::keys(text).map(|key| key.host).collect();
            let added = new.iter().filter(|key| hosts.insert(key.host.clone()));
            let added: String = added.map(|key| format!("{key}\n")).collect();
            let break_ = if text.is_empty() || text.ends_with('\n') {
                ""
            } else {
                "\n"
            };
            (!added.is_empty()).then(|| format!("{text}{break_}{added}"))
        };
        blocking(move || change(&path, add)).await.map(drop)
    }

    async fn forget(&self, tenant: &Tenant, host: &str) -> Result<(), StoreError> {
        let (path, host) = (self.path(tenant)?, host.to_owned());
        let remove = move |text: &str| {
            let has = |line: &&str| HostKey::of_line(line).iter().any(|key| key.host == host);
            text.lines().any(|line| has(&line)).then(|| {
                let kept = text.lines().filter(|line| !has(line));
                kept.map(|line| format!("{line}\n")).collect()
            })
        };
        let changed = blocking(move || change(&path, remove)).await?;
        if changed { Ok(()) } else { Err(StoreError::NotFound) }
    }

    fn how_to_forget(&self, _tenant: &Tenant, host: &str) -> String {
        let data = self.data.display();
        format!("`callboard known-hosts forget '{host}' --data '{data}'`")
    }
}

fn keys(text: &str) -> impl Iterator<Item = HostKey> {
    text.lines().flat_map(HostKey::of_line)
}

fn read(path: &Path) -> std::io::Result<String> {
    or_absent(fs::read_to_string(path), String::new())
}

/// Replaces a file's text with the result of `make`, or leaves it unchanged; returns whether it changed. Other writers wait.
fn change(path: &Path, make: impl FnOnce(&str) -> Option<String>) -> std::io::Result<bool> {
    let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut private = OpenOptions::new();
    private.write(true).create(true).truncate(true).mode(0o600);
    let lock = private.open(folder.join(LOCK))?;
    lock.lock()?;
    let Some(text) = make(&read(path)?) else {
        return Ok(false);
    };
    // the file is complete and on the disk before it gets its name
    let staged = folder.join(STAGED);
    let mut file = private.open(&staged)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&staged, path)?;
    File::open(folder)?.sync_all()?;
    Ok(true)
}
