//! The lock of a data folder: one `serve` at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const NAME: &str = "callboard.lock";

/// Why a folder could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process serves the folder.
    #[error(
        "the data folder {folder} is held by another `callboard serve`{process}; stop that one, or name another folder \
         with --data"
    )]
    Held {
        /// The folder.
        folder: PathBuf,
        /// The process, if it has written its id.
        process: String,
    },
    /// The lock file cannot be used.
    #[error("the lock of the data folder, {path}, cannot be taken")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// Holds a data folder until it is dropped or its process ends in any way.
#[derive(Debug)]
pub struct FolderLock(#[expect(dead_code, reason = "the lock is the file's, while it is open")] File);

impl FolderLock {
    /// Returns the holder of a folder's lock, if there is one: the content of the lock file, which may be empty.
    ///
    /// # Errors
    /// The lock file cannot be read.
    pub fn holder(folder: &Path) -> std::io::Result<Option<String>> {
        let mut file = match File::open(folder.join(NAME)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
            Err(TryLockError::WouldBlock) => Ok(Some(written_by_holder(&mut file))),
        }
    }

    /// Takes the lock of a folder.
    ///
    /// # Errors
    /// [`LockError`] says who holds the lock, or why it cannot be taken.
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join(NAME);
        let failed = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) => {
                let process = match written_by_holder(&mut file).as_str() {
                    "" => String::new(),
                    process => format!(", process {process}"),
                };
                let folder = folder.to_owned();
                return Err(LockError::Held { folder, process });
            }
        }
        // the process id is only a courtesy: a full disk must not prevent the start
        drop(file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())));
        Ok(Self(file))
    }
}

fn written_by_holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) => text.trim().to_owned(),
        Err(_) => String::new(),
    }
}
