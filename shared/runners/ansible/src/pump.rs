//! Moving a job's output and events from its pipes to where they are kept, in constant memory.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use callboard_core::event::Event;
use callboard_core::outcome::InventorySummary;
use callboard_core::output::Output;
use callboard_core::ports::StoreError;
use callboard_core::redact::{self, Redactor};
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use crate::collect::{Collector, PartialEvent};
use crate::demux::{Demux, Piece};
use crate::lines::Lines;
use crate::track::Tracker;

const CHUNK_BYTES: usize = 64 * 1024;

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
    SourceError { message: String },
    AnsibleError { message: String },
}

/// What was learned from a job while its output was moved.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) tracker: Tracker,
    pub(crate) inventory: Option<InventorySummary>,
    pub(crate) inventory_error: Option<String>,
    pub(crate) source_error: Option<String>,
    pub(crate) error: Option<String>,
}

/// Where an event stands in the output.
enum Mark {
    Begin(PartialEvent),
    End,
}

/// The two pipes of a job, and what becomes of what comes through them.
pub(crate) struct Pump<'a> {
    text: pipe::Receiver,
    lines: Lines,
    demux: Demux,
    redactor: Arc<Redactor>,
    stream: redact::Stream<Mark>,
    sink: Sink<'a>,
}

/// Where redacted output and events go.
struct Sink<'a> {
    collector: Collector,
    output: &'a Output,
    findings: Findings,
}

impl<'a> Pump<'a> {
    pub(crate) fn new(
        text: pipe::Receiver,
        events: pipe::Receiver,
        nonce: &str,
        job: String,
        output: &'a Output,
        redactor: Arc<Redactor>,
    ) -> Self {
        Self {
            text,
            lines: Lines::new(events),
            demux: Demux::new(nonce),
            stream: redact::Stream::new(Arc::clone(&redactor)),
            redactor,
            sink: Sink {
                collector: Collector::new(job),
                output,
                findings: Findings::default(),
            },
        }
    }

    /// Says which commit runs, for the progress that is reported.
    pub(crate) fn runs_commit(&mut self, commit: Option<String>) {
        self.sink.findings.tracker.commit = commit;
    }

    /// Returns what was learned.
    pub(crate) fn into_findings(self) -> Findings {
        self.sink.findings
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
            let mark = match piece {
                Piece::Text(range) => {
                    let text = Cow::Borrowed(self.demux.bytes(range));
                    self.sink.take(self.stream.push(redact::Piece::Text(text))).await?;
                    continue;
                }
                Piece::Begin => self.next_event().await?.map(Mark::Begin),
                Piece::End => Some(Mark::End),
            };
            if let Some(mark) = mark {
                self.sink.take(self.stream.push(redact::Piece::Mark(mark))).await?;
            }
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), PumpError> {
        let rest = Cow::Borrowed(self.demux.finish());
        self.sink.take(self.stream.push(redact::Piece::Text(rest))).await?;
        self.sink.take(self.stream.finish()).await?;
        self.sink.take(vec![redact::Piece::Mark(Mark::End)]).await?;
        while !self.lines.ended {
            self.lines.fill().await?;
            self.read_notes();
            self.lines.whole.clear();
        }
        Ok(())
    }

    async fn next_event(&mut self) -> Result<Option<PartialEvent>, PumpError> {
        loop {
            self.read_notes();
            if let Some(line) = self.lines.whole.pop_front() {
                return Ok(self.event(&line));
            }
            if self.lines.ended {
                return Ok(None);
            }
            self.lines.fill().await?;
        }
    }

    fn event(&self, line: &[u8]) -> Option<PartialEvent> {
        let mut event: PartialEvent = serde_json::from_slice(line).ok()?;
        if !self.redactor.is_empty() {
            event.redact(&self.redactor);
        }
        Some(event)
    }

    fn read_notes(&mut self) {
        let redacted = |text: String| self.redactor.text(&text);
        let findings = &mut self.sink.findings;
        while let Some(note) = self.lines.whole.front().and_then(|line| note(line)) {
            self.lines.whole.pop_front();
            match note {
                Note::Inventory(summary) => {
                    let host_names = summary.host_names.into_iter().map(redacted).collect();
                    findings.inventory = Some(InventorySummary { host_names, ..summary });
                }
                Note::InventoryError { message } => findings.inventory_error = Some(redacted(message)),
                Note::Hosts { names } => findings.tracker.expect(names.into_iter().map(redacted).collect()),
                Note::SourceError { message } => findings.source_error = Some(redacted(message)),
                Note::AnsibleError { message } => findings.error = Some(redacted(message)),
            }
        }
    }
}
impl Sink<'_> {
    async fn take(&mut self, pieces: Vec<redact::Piece<'_, Mark>>) -> Result<(), StoreError> {
        for piece in pieces {
            let mut events = Vec::new();
            match piece {
                redact::Piece::Text(text) => {
                    self.output.stdout(&text).await?;
                    self.collector.text(&text, &mut events);
                }
                redact::Piece::Mark(Mark::Begin(event)) => self.collector.begin(event, &mut events),
                redact::Piece::Mark(Mark::End) => self.collector.end(&mut events),
            }
            self.keep(events).await?;
        }
        Ok(())
    }

    async fn keep(&mut self, events: Vec<Event>) -> Result<(), StoreError> {
        for event in events {
            if let Some(progress) = self.findings.tracker.read(&event) {
                self.output.report(progress);
            }
            self.output.event(&event).await?;
        }
        Ok(())
    }
}

fn note(line: &[u8]) -> Option<Note> {
    if line.starts_with(br#"{"callboard""#) {
        serde_json::from_slice(line).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
