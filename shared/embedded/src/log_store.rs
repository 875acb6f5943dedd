//! [`LogStore`] on the file system: a folder per job, a folder per attempt in it, a file per stream.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use callboard_core::id::JobId;
use callboard_core::ports::{Chunk, LogKey, LogStore, Manifest, StoreError, Stream};

use crate::blocking::{blocking, or_absent};

/// Keeps streams below one folder. What is written is readable by the owner only.
#[derive(Clone)]
pub struct FileLogStore {
    root: PathBuf,
}

impl FileLogStore {
    /// Uses a folder, which is made when the first log is written.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn attempt(&self, job: JobId, attempt: u32) -> PathBuf {
        self.root.join(job.to_string()).join(attempt.to_string())
    }

    fn path(&self, key: LogKey) -> PathBuf {
        let name = match key.stream {
            Stream::Stdout => "stdout",
            Stream::Events => "events.jsonl",
            Stream::EventIndex => "events.index",
        };
        self.attempt(key.job, key.attempt).join(name)
    }

    fn manifest_path(&self, job: JobId, attempt: u32) -> PathBuf {
        self.attempt(job, attempt).join("manifest.json")
    }
}

#[async_trait]
impl LogStore for FileLogStore {
    async fn append(&self, job: JobId, attempt: u32, chunks: &[Chunk]) -> Result<(), StoreError> {
        let with_path = |chunk: &Chunk| {
            let stream = chunk.stream;
            (self.path(LogKey { job, attempt, stream }), chunk.clone())
        };
        let chunks: Vec<_> = chunks.iter().map(with_path).collect();
        if blocking(move || append(&chunks)).await? {
            Ok(())
        } else {
            Err(StoreError::Conflict)
        }
    }

    async fn read(&self, key: LogKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        let path = self.path(key);
        blocking(move || or_absent(read(&path, &range), Bytes::new())).await
    }

    async fn size(&self, key: LogKey) -> Result<u64, StoreError> {
        let path = self.path(key);
        blocking(move || or_absent(fs::metadata(&path).map(|file| file.len()), 0)).await
    }

    async fn seal(&self, job: JobId, attempt: u32, manifest: &Manifest) -> Result<(), StoreError> {
        let path = self.manifest_path(job, attempt);
        let text = serde_json::to_vec(manifest).map_err(|error| StoreError::Corrupt(Box::new(error)))?;
        blocking(move || replace(&path, &text)).await
    }

    async fn manifest(&self, job: JobId, attempt: u32) -> Result<Option<Manifest>, StoreError> {
        let path = self.manifest_path(job, attempt);
        let text = blocking(move || or_absent(fs::read(&path).map(Some), None)).await?;
        text.map(|text| serde_json::from_slice(&text))
            .transpose()
            .map_err(|error| StoreError::Corrupt(Box::new(error)))
    }

    async fn remove(&self, job: JobId) -> Result<(), StoreError> {
        let path = self.root.join(job.to_string());
        blocking(move || or_absent(fs::remove_dir_all(&path), ())).await
    }
}

/// Answers false, and writes nothing, if that would leave a gap.
fn append(chunks: &[(PathBuf, Chunk)]) -> std::io::Result<bool> {
    let mut opened = Vec::with_capacity(chunks.len());
    for (path, chunk) in chunks {
        let file = open_for_append(path)?;
        if chunk.offset > file.metadata()?.len() {
            return Ok(false);
        }
        opened.push((file, chunk));
    }
    for (mut file, chunk) in opened {
        file.seek(SeekFrom::Start(chunk.offset))?;
        file.write_all(&chunk.bytes)?;
    }
    Ok(true)
}

fn open_for_append(path: &Path) -> std::io::Result<File> {
    let open = || {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
    };
    match open() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make_parent(path)?;
            open()
        }
        other => other,
    }
}

fn make_parent(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(parent) => fs::DirBuilder::new().recursive(true).mode(0o700).create(parent),
        None => Ok(()),
    }
}

fn read(path: &Path, range: &Range<u64>) -> std::io::Result<Bytes> {
    let mut file = File::open(path)?;
    let end = range.end.min(file.metadata()?.len());
    if range.start >= end {
        return Ok(Bytes::new());
    }
    file.seek(SeekFrom::Start(range.start))?;
    let mut bytes = Vec::new();
    file.take(end - range.start).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    make_parent(path)?;
    let staged = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&staged)?;
    file.write_all(text)?;
    fs::rename(&staged, path)
}
