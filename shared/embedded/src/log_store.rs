//! [`LogStore`] on the file system: one folder per job, in it one folder per attempt, in it one file per stream and a
//! journal, `segments`, that has the name of each segment on a line of its own.
//!
//! The journal is written last, so a segment that it names exists unless the machine itself stopped. Bytes after the
//! last named segment in a stream come from an interrupted write and are overwritten. A writer holds the journal's
//! lock, so that nothing is written to a sealed attempt.

mod files;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use self::files::Attempt;
use crate::blocking::{blocking, or_absent};
use crate::heard::Heard;
use crate::lasting::Lasting;
use async_trait::async_trait;
use bytes::Bytes;
use callboard_core::base::causes::causes;
use callboard_core::base::id::JobId;
use callboard_core::base::store_error::StoreError;
use callboard_core::output::{LogKey, LogStore, Manifest, Segment, SegmentHead, Stream, index};

/// Keeps streams below one folder. Only the owner can read the files.
#[derive(Clone)]
pub struct FileLogStore {
    root: PathBuf,
    writes: Arc<Lasting>,
    /// Tells whose output has grown.
    grown: Heard,
}

impl FileLogStore {
    /// Uses a folder; it is made when the first log is written.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            writes: Arc::default(),
            grown: Heard::default(),
        }
    }

    /// Returns a sentence that says why nothing can be written, if so. It writes a small file, at most every two seconds.
    pub async fn fault(&self) -> Option<String> {
        let root = self.root.clone();
        let tried = blocking(move || Ok(files::try_to_write(&root).err().map(|error| error.to_string())));
        let tried = async { tried.await.unwrap_or_else(|error| Some(causes(&error).to_string())) };
        let fault = self.writes.fault(tried).await?;
        Some(format!(
            "The folder {} cannot be written: {fault}.",
            self.root.display()
        ))
    }

    /// Returns the folder of an attempt.
    #[must_use]
    pub fn folder(&self, job: JobId, attempt: u32) -> AttemptFolder {
        AttemptFolder(self.attempt(job, attempt))
    }

    /// Returns the folder that holds all logs.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the jobs that have a folder, as far as the root folder can be read.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobId> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.collect()
    }

    /// Returns whether a job has a folder.
    #[must_use]
    pub fn has(&self, job: JobId) -> bool {
        self.root.join(job.to_string()).is_dir()
    }

    fn attempt(&self, job: JobId, attempt: u32) -> Attempt {
        Attempt(self.root.join(job.to_string()).join(attempt.to_string()))
    }

    fn path(&self, key: LogKey) -> PathBuf {
        self.attempt(key.job, key.attempt).stream(key.stream)
    }
}

#[async_trait]
impl LogStore for FileLogStore {
    async fn append(&self, job: JobId, attempt: u32, segment: &Segment) -> Result<(), StoreError> {
        let (attempt, segment) = (self.attempt(job, attempt), segment.clone());
        if blocking(move || attempt.append(&segment)).await? {
            self.grown.tell(job);
            Ok(())
        } else {
            Err(StoreError::Conflict)
        }
    }

    async fn segments(&self, job: JobId, attempt: u32) -> Result<Vec<SegmentHead>, StoreError> {
        let attempt = self.attempt(job, attempt);
        blocking(move || or_absent(attempt.segments(), Vec::new())).await
    }

    async fn read(&self, key: LogKey, range: Range<u64>) -> Result<Bytes, StoreError> {
        let path = self.path(key);
        blocking(move || or_absent(files::read(&path, &range), Bytes::new())).await
    }

    async fn size(&self, key: LogKey) -> Result<u64, StoreError> {
        let path = self.path(key);
        blocking(move || or_absent(fs::metadata(&path).map(|file| file.len()), 0)).await
    }

    async fn seal(&self, job: JobId, attempt: u32, manifest: &Manifest) -> Result<(), StoreError> {
        let attempt = self.attempt(job, attempt);
        let text = serde_json::to_vec(manifest).map_err(|error| StoreError::Corrupt(Box::new(error)))?;
        let sizes = (manifest.stdout_bytes, manifest.events_bytes, manifest.events);
        blocking(move || attempt.seal(&text, sizes)).await
    }

    async fn manifest(&self, job: JobId, attempt: u32) -> Result<Option<Manifest>, StoreError> {
        let folder = self.folder(job, attempt);
        let text = blocking(move || folder.manifest()).await?;
        text.map(|text| serde_json::from_slice(&text))
            .transpose()
            .map_err(|error| StoreError::Corrupt(Box::new(error)))
    }

    fn grown(&self, job: JobId) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.grown.of(job))
    }

    async fn remove(&self, job: JobId) -> Result<(), StoreError> {
        let path = self.root.join(job.to_string());
        blocking(move || or_absent(fs::remove_dir_all(&path), ())).await
    }
}

/// The folder of one attempt, in the store or in a copy of it, read directly from the disk.
pub struct AttemptFolder(Attempt);

impl AttemptFolder {
    /// Uses a folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self(Attempt(folder))
    }

    /// Returns whether the folder exists.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.0.0.is_dir()
    }

    /// Returns whether the attempt is sealed: its manifest exists.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.0.manifest().is_file()
    }

    /// Returns what is plainly wrong with a sealed attempt: its manifest cannot be read, or less is left than was sealed. The content
    /// is not read.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let text = fs::read(self.0.manifest()).ok()?;
        let Ok(manifest) = serde_json::from_slice::<Manifest>(&text) else {
            return Some("its manifest cannot be read".to_owned());
        };
        let size = |stream| fs::metadata(self.0.stream(stream)).map_or(0, |file| file.len());
        let whole_events = size(Stream::Events) >= manifest.events_bytes;
        let events = if whole_events {
            index::count(size(Stream::EventIndex))
        } else {
            0
        };
        let missing = manifest.missing_of_stdout(size(Stream::Stdout));
        let missing = missing.or_else(|| manifest.missing_events(events))?;
        Some(format!("only {missing}"))
    }

    /// Returns whether the journal of segments exists.
    #[must_use]
    pub fn has_journal(&self) -> bool {
        self.0.journal().is_file()
    }

    /// Returns the segments; without a journal, the whole content of the streams counts as one segment.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn segments(&self) -> std::io::Result<Vec<SegmentHead>> {
        self.0.segments()
    }

    /// Returns the content of a segment, as far as the streams contain it.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn content(&self, head: &SegmentHead) -> std::io::Result<Vec<u8>> {
        let mut content = Vec::new();
        for stream in Stream::ALL {
            let read = files::read(&self.0.stream(stream), &head.range(stream));
            content.extend_from_slice(&or_absent(read, Bytes::new())?);
        }
        Ok(content)
    }

    /// Returns the manifest's text; `None` if the attempt is not sealed.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn manifest(&self) -> std::io::Result<Option<Vec<u8>>> {
        or_absent(fs::read(self.0.manifest()).map(Some), None)
    }
}
