//! The byte streams that an attempt leaves.

use bytes::Bytes;

use crate::base::id::JobId;

/// One of the byte streams that an attempt leaves.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Stream {
    /// What Ansible printed, byte for byte, with its ANSI sequences.
    Stdout,
    /// The events, one JSON object per line, ordered by counter.
    Events,
    /// Where each event ends in `Events`: 8 bytes each, little-endian.
    EventIndex,
}

impl Stream {
    /// Every stream.
    pub const ALL: [Self; 3] = [Self::Stdout, Self::Events, Self::EventIndex];
}

/// Names one stream of one attempt.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct LogKey {
    /// The job.
    pub job: JobId,
    /// Its attempt, from 1.
    pub attempt: u32,
    /// The stream.
    pub stream: Stream,
}

/// The end of a stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tail {
    /// Its last bytes.
    pub bytes: Bytes,
    /// The total size of the stream in bytes.
    pub size: u64,
}
