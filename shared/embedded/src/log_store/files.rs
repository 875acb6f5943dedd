//! The files of one attempt.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use callboard_core::output::{Segment, SegmentHead, Stream, index as event_index};

/// Room for several lines of a journal.
const TAIL_BYTES: u64 = 2048;
/// About as much as a small job prints.
const TRIAL_BYTES: usize = 64 * 1024;

/// The folder of an attempt.
#[derive(Clone)]
pub(super) struct Attempt(pub(super) PathBuf);

impl Attempt {
    pub(super) fn stream(&self, stream: Stream) -> PathBuf {
        self.0.join(match stream {
            Stream::Stdout => "stdout",
            Stream::Events => "events.jsonl",
            Stream::EventIndex => "events.index",
        })
    }

    pub(super) fn manifest(&self) -> PathBuf {
        self.0.join("manifest.json")
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.0.join("segments")
    }

    /// Returns the segments that the journal names.
    pub(super) fn segments(&self) -> Result<Vec<SegmentHead>> {
        match File::open(self.journal()) {
            Ok(journal) => Ok(Journal::read(journal, u64::MAX)?.heads),
            Err(error) if error.kind() == ErrorKind::NotFound => self.without_journal(),
            Err(error) => Err(error),
        }
    }

    /// Makes one segment of the streams written by a release that kept no journal.
    fn without_journal(&self) -> Result<Vec<SegmentHead>> {
        let whole = |stream| fs::read(self.stream(stream));
        let (stdout, mut events, mut index) = (
            or_absent(whole(Stream::Stdout))?,
            or_absent(whole(Stream::Events))?,
            or_absent(whole(Stream::EventIndex))?,
        );
        index.truncate(event_index::whole(&index).len());
        let last = event_index::end(&index);
        events.truncate(usize::try_from(last).unwrap_or(usize::MAX));
        if stdout.is_empty() && events.is_empty() {
            return Ok(Vec::new());
        }
        let parts = [&*stdout, &*events, &*index];
        Ok(vec![Segment::new(1, [0; Stream::ALL.len()], parts).head])
    }

    /// Appends a segment. Returns false, and writes nothing, if it is neither the next segment nor a repetition of the last one.
    pub(super) fn append(&self, segment: &Segment) -> Result<bool> {
        let mut journal = Journal::read(self.lock()?, TAIL_BYTES)?;
        if self.manifest().exists() {
            return Ok(false);
        }
        let (number, ends) = match journal.heads.last() {
            Some(last) if *last == segment.head => return Ok(true),
            Some(last) => (last.number + 1, last.ends()),
            None => (1, [0; Stream::ALL.len()]),
        };
        if segment.head.number != number || !segment.head.follows(ends) {
            return Ok(false);
        }
        for stream in Stream::ALL {
            let part = segment.part(stream);
            if !part.is_empty() {
                let mut file = open(&self.stream(stream))?;
                file.seek(SeekFrom::Start(segment.head.range(stream).start))?;
                file.write_all(&part)?;
            }
        }
        journal.add(&segment.head)?;
        Ok(true)
    }

    /// Writes everything through to the disk, the manifest last; does nothing if there is a manifest.
    pub(super) fn seal(&self, manifest: &[u8], (stdout, events, count): (u64, u64, u64)) -> Result<()> {
        let journal = self.lock()?;
        if self.manifest().exists() {
            return Ok(());
        }
        for (stream, size) in Stream::ALL.into_iter().zip([stdout, events, count * 8]) {
            match OpenOptions::new().write(true).open(self.stream(stream)) {
                Ok(file) => {
                    if file.metadata()?.len() > size {
                        file.set_len(size)?;
                    }
                    file.sync_all()?;
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        journal.sync_all()?;
        let staged = self.0.join("manifest.new");
        let mut file = options().truncate(true).open(&staged)?;
        file.write_all(manifest)?;
        file.sync_all()?;
        fs::rename(&staged, self.manifest())?;
        for folder in self.0.ancestors().take(3) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    /// Opens the journal and holds its lock until the file is closed.
    fn lock(&self) -> Result<File> {
        let file = open_with(options().read(true), &self.journal())?;
        file.lock()?;
        Ok(file)
    }
}

/// The complete lines of the journal.
struct Journal {
    file: File,
    heads: Vec<SegmentHead>,
    end: u64,
}

impl Journal {
    /// Reads at most the last `at_most` bytes of the journal.
    fn read(mut file: File, at_most: u64) -> Result<Self> {
        let start = file.metadata()?.len().saturating_sub(at_most);
        file.seek(SeekFrom::Start(start))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let begun = match start {
            0 => 0,
            _ => text
                .iter()
                .position(|byte| *byte == b'\n')
                .map_or(text.len(), |at| at + 1),
        };
        let (mut heads, mut end) = (Vec::new(), start + begun as u64);
        for line in text[begun..].split_inclusive(|byte| *byte == b'\n') {
            let name = line.strip_suffix(b"\n").and_then(|name| std::str::from_utf8(name).ok());
            let Some(head) = name.and_then(SegmentHead::parse) else {
                break;
            };
            heads.push(head);
            end += line.len() as u64;
        }
        Ok(Self { file, heads, end })
    }

    fn add(&mut self, head: &SegmentHead) -> Result<()> {
        self.file.set_len(self.end)?;
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(format!("{head}\n").as_bytes())
    }
}

fn or_absent(read: Result<Vec<u8>>) -> Result<Vec<u8>> {
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options
}

fn open(path: &Path) -> Result<File> {
    open_with(&mut options(), path)
}

fn open_with(options: &mut OpenOptions, path: &Path) -> Result<File> {
    match (options.open(path), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == ErrorKind::NotFound => {
            make_folders(folder)?;
            options.open(path)
        }
        (opened, _) => opened,
    }
}

/// Makes the folders of an attempt, its job and the store, but no data folder: if that is gone, nothing written would last.
fn make_folders(attempt: &Path) -> Result<()> {
    let folders: Vec<&Path> = attempt.ancestors().take(3).collect();
    folders.into_iter().rev().try_for_each(make_folder)
}

fn make_folder(folder: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Checks that a folder accepts files with content.
pub(super) fn try_to_write(folder: &Path) -> Result<()> {
    make_folder(folder)?;
    let path = folder.join(".trial");
    let written = open(&path).and_then(|mut file| {
        file.write_all(&[0; TRIAL_BYTES])?;
        file.sync_data()
    });
    written.and(fs::remove_file(&path))
}

pub(super) fn read(path: &Path, range: &Range<u64>) -> Result<Bytes> {
    let mut file = File::open(path)?;
    let end = range.end.min(file.metadata()?.len());
    if range.start >= end {
        return Ok(Bytes::new());
    }
    file.seek(SeekFrom::Start(range.start))?;
    let length = end - range.start;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}
