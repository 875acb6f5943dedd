//! Moving a job's output and events from its pipes to where they are kept, in constant memory.

use std::collections::VecDeque;
use std::io;

use callboard_core::event::Event;
use callboard_core::outcome::InventorySummary;
use callboard_core::output::Output;
use callboard_core::ports::StoreError;
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use crate::collect::{Collector, PartialEvent};
use crate::demux::{Demux, Piece};
use crate::track::Tracker;

const CHUNK_BYTES: usize = 64 * 1024;
/// The host sends no longer line; a longer one is not the host's.
const MAX_LINE_BYTES: usize = 8 * 1024 * 1024;

/// Why output could not be moved on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PumpError {
    #[error("the job's output could not be read")]
    Read(#[from] io::Error),
    #[error("the job's output could not be kept")]
    Store(#[from] StoreError),
}

/// What the host tells beside Ansible's events.
#[derive(Debug, Deserialize)]
#[serde(tag = "callboard", rename_all = "snake_case")]
enum Note {
    Inventory(InventorySummary),
    InventoryError { message: String },
    Hosts { names: Vec<String> },
    AnsibleError { message: String },
}

/// What was learned from a job while its output was moved.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) tracker: Tracker,
    pub(crate) inventory: Option<InventorySummary>,
    pub(crate) inventory_error: Option<String>,
    pub(crate) error: Option<String>,
}

/// The two pipes of a job, and what becomes of what comes through them.
pub(crate) struct Pump<'a> {
    text: pipe::Receiver,
    lines: Lines,
    demux: Demux,
    collector: Collector,
    output: &'a Output,
    pub(crate) findings: Findings,
}

impl<'a> Pump<'a> {
    pub(crate) fn new(
        text: pipe::Receiver,
        events: pipe::Receiver,
        nonce: &str,
        job: String,
        output: &'a Output,
    ) -> Self {
        let lines = Lines {
            pipe: events,
            partial: Vec::new(),
            whole: VecDeque::new(),
            ended: false,
        };
        let collector = Collector::new(job);
        Self {
            text,
            lines,
            demux: Demux::new(nonce),
            collector,
            output,
            findings: Findings::default(),
        }
    }

    /// Runs until both pipes have ended.
    ///
    /// An event comes before its marker, so a marker can wait for its event; but a long event may fill its pipe
    /// while no output comes, so events are read, one at a time, while there is none.
    pub(crate) async fn run(&mut self) -> Result<(), PumpError> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            tokio::select! {
                read = self.text.read(&mut chunk) => match read? {
                    0 => break,
                    length => self.take(&chunk[..length]).await?,
                },
                filled = self.lines.fill(), if self.lines.wants_more() => filled?,
            }
            self.read_notes();
        }
        self.finish().await
    }

    async fn take(&mut self, chunk: &[u8]) -> Result<(), PumpError> {
        for piece in self.demux.split(chunk) {
            let mut events = Vec::new();
            match piece {
                Piece::Text(range) => {
                    let text = self.demux.bytes(range);
                    self.output.stdout(text).await?;
                    self.collector.text(text, &mut events);
                }
                Piece::Begin => {
                    if let Some(event) = self.next_event().await? {
                        self.collector.begin(event, &mut events);
                    }
                }
                Piece::End => self.collector.end(&mut events),
            }
            self.keep(events).await?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), PumpError> {
        let mut events = Vec::new();
        let rest = self.demux.finish();
        self.output.stdout(rest).await?;
        self.collector.text(rest, &mut events);
        self.collector.end(&mut events);
        self.keep(events).await?;
        while !self.lines.ended {
            self.lines.fill().await?;
            self.read_notes();
            self.lines.whole.clear();
        }
        Ok(())
    }

    async fn keep(&mut self, events: Vec<Event>) -> Result<(), PumpError> {
        for event in events {
            if let Some(progress) = self.findings.tracker.read(&event) {
                self.output.report(progress);
            }
            self.output.event(&event).await?;
        }
        Ok(())
    }

    async fn next_event(&mut self) -> Result<Option<PartialEvent>, PumpError> {
        loop {
            self.read_notes();
            if let Some(line) = self.lines.whole.pop_front() {
                return Ok(serde_json::from_slice(&line).ok());
            }
            if self.lines.ended {
                return Ok(None);
            }
            self.lines.fill().await?;
        }
    }

    fn read_notes(&mut self) {
        while let Some(note) = self.lines.whole.front().and_then(|line| note(line)) {
            self.lines.whole.pop_front();
            match note {
                Note::Inventory(summary) => self.findings.inventory = Some(summary),
                Note::InventoryError { message } => self.findings.inventory_error = Some(message),
                Note::Hosts { names } => self.findings.tracker.expect(names),
                Note::AnsibleError { message } => self.findings.error = Some(message),
            }
        }
    }
}

fn note(line: &[u8]) -> Option<Note> {
    if line.starts_with(br#"{"callboard""#) {
        serde_json::from_slice(line).ok()
    } else {
        None
    }
}

/// Lines of the events pipe, read as they are needed.
struct Lines {
    pipe: pipe::Receiver,
    partial: Vec<u8>,
    whole: VecDeque<Vec<u8>>,
    ended: bool,
}

impl Lines {
    fn wants_more(&self) -> bool {
        self.whole.is_empty() && !self.ended
    }

    /// Reads once. Safe to be dropped while it waits.
    async fn fill(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        let length = self.pipe.read(&mut chunk).await?;
        self.ended = length == 0;
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
