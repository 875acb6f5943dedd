//! The lines of a job's events pipe.

use std::collections::VecDeque;
use std::io;

use tokio::net::unix::pipe;

use crate::flow::Flow;

/// The longest line that the host sends; a longer one does not come from the host.
const MAX_LINE_BYTES: usize = 8 * 1024 * 1024;

/// Lines, read as they are needed.
pub(crate) struct Lines {
    flow: Flow,
    partial: Vec<u8>,
    /// Complete lines that have been read but not yet taken.
    pub(crate) whole: VecDeque<Vec<u8>>,
}

impl Lines {
    /// Starts reading.
    pub(crate) fn new(pipe: pipe::Receiver) -> Self {
        Self {
            flow: Flow::new(Some(pipe)),
            partial: Vec::new(),
            whole: VecDeque::new(),
        }
    }

    /// Returns whether no line is ready, but more may come.
    pub(crate) fn wants_more(&self) -> bool {
        self.whole.is_empty() && self.flows()
    }

    /// Notes that the writer is gone; see [`Flow::last`].
    pub(crate) fn last(&mut self) -> io::Result<()> {
        self.flow.last()
    }

    /// Returns whether more may come.
    pub(crate) fn flows(&self) -> bool {
        self.flow.flows()
    }

    /// Reads once. Safe to drop while it waits.
    pub(crate) async fn fill(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        let length = self.flow.read(&mut chunk).await?;
        for part in chunk[..length].split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.whole.push_back(std::mem::take(&mut self.partial));
            }
        }
        if self.partial.len() > MAX_LINE_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an event has no end"));
        }
        Ok(())
    }
}
