//! The file of the keys that seal credentials: one line per key, the newest first. The newest key seals; every key can open.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use callboard_core::base::store_error::StoreError;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::sealing::Key;

const PRIVATE: u32 = 0o600;
const OTHERS: u32 = 0o077;
const HEADER: &str = "# The keys of the credentials in callboard.db, the newest first. Keep this file secret, and not beside copies of\n\
                      # the database. `callboard rotate-key` adds a key; without these keys the credentials are lost.\n";

/// A fault of the keys and how to repair it; the text never contains a key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error(
        "the key file {0} is not there, and stored credentials need it: put it back, or delete and store them again"
    )]
    Missing(PathBuf),
    #[error("the key file {path} may be read by others (mode {mode:03o}): chmod 600 it, then `callboard rotate-key`")]
    Open { path: PathBuf, mode: u32 },
    #[error("line {line} of the key file {path} is no key, or was changed: put back a copy of the file")]
    Malformed { path: PathBuf, line: usize },
    #[error("the key file {0} has no key: put back a copy of the file")]
    Empty(PathBuf),
    #[error(
        "the key file {path} has no key {id}, which the credential is sealed with: put back the file that has it, or store the credential again"
    )]
    Unknown { path: PathBuf, id: String },
    #[error(
        "the credential cannot be opened with key {id} of the key file {path}: it was changed outside of Callboard; store it again"
    )]
    Changed { path: PathBuf, id: String },
    #[error("the key file {path} cannot be used")]
    Io { path: PathBuf, source: std::io::Error },
}

impl From<KeyError> for StoreError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Io { .. } => Self::Unavailable(Box::new(error)),
            _ => Self::Corrupt(Box::new(error)),
        }
    }
}

/// The path of the key file.
#[derive(Clone)]
pub(crate) struct KeyFile(PathBuf);

impl KeyFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the keys, the newest first; there is at least one.
    pub(crate) fn read(&self) -> Result<Vec<Key>, KeyError> {
        let mut file = match File::open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(KeyError::Missing(self.0.clone())),
            Err(error) => return Err(self.io(error)),
        };
        let mode = file.metadata().map_err(|error| self.io(error))?.mode() & 0o777;
        if mode & OTHERS != 0 {
            let path = self.0.clone();
            return Err(KeyError::Open { path, mode });
        }
        let mut text = Zeroizing::new(String::new());
        match file.read_to_string(&mut text) {
            Ok(_) => self.parse(&text),
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(self.malformed(0)),
            Err(error) => Err(self.io(error)),
        }
    }

    /// Returns the keys, after making the first one if there is no file. Processes that do this at the same time all
    /// get the same key.
    pub(crate) fn read_or_make(&self) -> Result<Vec<Key>, StoreError> {
        match self.read() {
            Err(KeyError::Missing(_)) => {
                let first = [Key::generate()?];
                self.write(&first, false).map_err(|error| self.io(error))?;
                Ok(self.read()?)
            }
            read => Ok(read?),
        }
    }

    /// Replaces all keys in the file.
    pub(crate) fn replace(&self, keys: &[Key]) -> Result<(), KeyError> {
        self.write(keys, true).map_err(|error| self.io(error))
    }

    fn parse(&self, text: &str) -> Result<Vec<Key>, KeyError> {
        let lines = text.lines().enumerate();
        let of_keys = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        let parsed = of_keys.map(|(index, line)| Key::parse(line).ok_or_else(|| self.malformed(index)));
        let keys: Vec<Key> = parsed.collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(KeyError::Empty(self.0.clone()));
        }
        Ok(keys)
    }

    /// Writes the file: it is complete and on the disk before it gets its name.
    fn write(&self, keys: &[Key], replace: bool) -> std::io::Result<()> {
        let staged = self.0.with_extension(format!("{}.new", Uuid::new_v4().simple()));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(PRIVATE)
            .open(&staged)?;
        let named = write_all(&mut file, keys).and_then(|()| match replace {
            true => fs::rename(&staged, &self.0),
            false => link_new(&staged, &self.0),
        });
        if !replace || named.is_err() {
            fs::remove_file(&staged)?;
        }
        named?;
        match self.0.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }

    fn malformed(&self, index: usize) -> KeyError {
        KeyError::Malformed {
            path: self.0.clone(),
            line: index + 1,
        }
    }

    fn io(&self, source: std::io::Error) -> KeyError {
        let path = self.0.clone();
        KeyError::Io { path, source }
    }
}

fn write_all(file: &mut File, keys: &[Key]) -> std::io::Result<()> {
    file.write_all(HEADER.as_bytes())?;
    for key in keys {
        file.write_all(key.line().as_bytes())?;
    }
    file.sync_all()
}

/// Gives a file its name, unless a file of that name exists: then another process was faster.
fn link_new(staged: &Path, path: &Path) -> std::io::Result<()> {
    match fs::hard_link(staged, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}
