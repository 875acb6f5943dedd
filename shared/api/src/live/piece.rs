//! Something that a job has left.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

/// A part of a job's output, or one of its events. Clones share their content.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// The attempt that it belongs to.
    pub(crate) attempt: u32,
    /// What it is.
    pub(crate) part: Part,
    /// It as a message, once somebody has needed that.
    message: Arc<OnceLock<Bytes>>,
}

/// The kinds of pieces.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Output, and how many bytes of the attempt's output come before it.
    Output { offset: u64, bytes: Bytes },
    /// An event as a line of JSON, and its counter.
    Event { counter: u64, line: Bytes },
    /// A clause that says what is missing of the attempt.
    Gap(String),
}

impl Piece {
    pub(super) fn output(attempt: u32, offset: u64, bytes: Bytes) -> Self {
        Self::new(attempt, Part::Output { offset, bytes })
    }

    pub(super) fn event(attempt: u32, counter: u64, line: Bytes) -> Self {
        Self::new(attempt, Part::Event { counter, line })
    }

    pub(super) fn gap(attempt: u32, missing: String) -> Self {
        Self::new(attempt, Part::Gap(missing))
    }

    fn new(attempt: u32, part: Part) -> Self {
        Self {
            attempt,
            part,
            message: Arc::default(),
        }
    }

    /// Returns how many bytes it has.
    pub(super) fn size(&self) -> usize {
        match &self.part {
            Part::Output { bytes, .. } => bytes.len(),
            Part::Event { line, .. } => line.len(),
            Part::Gap(missing) => missing.len(),
        }
    }

    /// Returns it as a message, which `make` makes once for all who need it.
    pub(crate) fn message(&self, make: impl FnOnce(&Self) -> Bytes) -> Bytes {
        self.message.get_or_init(|| make(self)).clone()
    }
}
