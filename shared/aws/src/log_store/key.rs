//! The names of the objects of a job's output.

use std::fmt;

use callboard_core::base::id::JobId;
use callboard_core::output::{LogKey, SegmentHead, Stream};

/// One attempt of a job.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Attempt {
    pub(super) job: JobId,
    pub(super) number: u32,
}

/// An object of an attempt in the bucket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Object {
    /// What one append wrote.
    Segment(SegmentHead),
    /// A stream in one piece, copied from the segments when the attempt was sealed.
    Whole(Stream),
    Manifest,
}

/// Returns the prefix of the keys of all objects of a job.
pub(super) fn prefix(job: JobId) -> String {
    format!("logs/{job}/")
}

impl From<LogKey> for Attempt {
    fn from(key: LogKey) -> Self {
        Self {
            job: key.job,
            number: key.attempt,
        }
    }
}

impl Attempt {
    /// Returns the prefix of the keys of the attempt's objects.
    pub(super) fn prefix(self) -> String {
        format!("{}{}/", prefix(self.job), self.number)
    }

    /// Returns the key of an object.
    pub(super) fn key(self, object: Object) -> String {
        format!("{}{object}", self.prefix())
    }
}

impl Object {
    /// Parses the part of a key that follows the prefix.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut others = Stream::ALL.map(Self::Whole).into_iter().chain([Self::Manifest]);
        let segment = SegmentHead::parse(name).map(Self::Segment);
        segment.or_else(|| others.find(|object| object.to_string() == name))
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Segment(_) | Self::Whole(Stream::EventIndex) => "application/octet-stream",
            Self::Whole(Stream::Stdout) => "text/plain; charset=utf-8",
            Self::Whole(Stream::Events) => "application/jsonl",
            Self::Manifest => "application/json",
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment(segment) => segment.fmt(f),
            Self::Whole(Stream::Stdout) => f.write_str("stdout"),
            Self::Whole(Stream::Events) => f.write_str("events.jsonl"),
            Self::Whole(Stream::EventIndex) => f.write_str("events.index"),
            Self::Manifest => f.write_str("manifest.json"),
        }
    }
}
