//! Moves a job's output and events from its pipes to where they are kept, in constant memory.

mod sink;

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use callboard_core::base::store_error::StoreError;
use callboard_core::output::Output;
use callboard_core::redact::{self, Redactor};
use callboard_core::run::Stop;
use tokio::net::unix::pipe;
use tokio::sync::Notify;

use self::sink::{Mark, Sink};
use crate::collect::{Collector, PartialEvent};
use crate::demux::{Demux, Piece};
use crate::findings::Findings;
use crate::flow::Flow;
use crate::lines::Lines;
use crate::notes::Note;
use crate::viewer::{Channel, Viewer};

const CHUNK_BYTES: usize = 64 * 1024;

/// Why output could not be moved.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PumpError {
    #[error("the job's output could not be read")]
    Read(#[from] io::Error),
    #[error("the job's output could not be kept")]
    Store(#[from] StoreError),
}

/// The pipes of a job that has begun.
pub(crate) struct Pipes {
    pub(crate) output: pipe::Receiver,
    /// What programs write to standard error, if it is kept apart.
    pub(crate) errors: Option<pipe::Receiver>,
    pub(crate) events: pipe::Receiver,
}

/// Where a job's output goes, and in what form.
pub(crate) struct Target<'a> {
    pub(crate) output: &'a Output,
    pub(crate) viewer: Option<Arc<dyn Viewer>>,
    pub(crate) redactor: Arc<Redactor>,
    /// The folder of the job's source; paths within it are shown relative to it.
    pub(crate) root: PathBuf,
}

/// Reads the pipes of a job, and passes on what comes through them.
pub(crate) struct Pump<'a> {
    text: Flow,
    errors: Flow,
    lines: Lines,
    demux: Demux,
    redactor: Arc<Redactor>,
    stream: redact::Stream<Mark>,
    /// The stream that the next byte of the output's pipe was written to.
    channel: Channel,
    root: PathBuf,
    sink: Sink<'a>,
}

impl<'a> Pump<'a> {
    pub(crate) fn new(pipes: Pipes, nonce: &str, job: String, target: Target<'a>) -> Self {
        Self {
            text: Flow::new(Some(pipes.output)),
            errors: Flow::new(pipes.errors),
            lines: Lines::new(pipes.events),
            demux: Demux::new(nonce),
            stream: redact::Stream::new(Arc::clone(&target.redactor)),
            redactor: target.redactor,
            channel: Channel::Stdout,
            root: target.root,
            sink: Sink {
                collector: Collector::new(job),
                output: target.output,
                viewer: target.viewer,
                channel: Channel::Stdout,
                findings: Findings::default(),
            },
        }
    }

    /// Sets the commit that runs, for the progress that is reported.
    pub(crate) fn runs_commit(&mut self, commit: Option<String>) {
        self.sink.findings.tracker.commit = commit;
    }

    /// Returns what was learned.
    pub(crate) fn into_findings(self) -> Findings {
        self.sink.findings
    }

    /// Runs until the pipes have ended or, once the playbook has `ended`, until everything that was in them then has been read:
    /// processes that it left running may hold the pipes open and go on writing.
    ///
    /// An event comes before its marker, so a marker can wait for its event. But a long event may fill its pipe while no
    /// output comes, so an event is also read whenever none is ready.
    pub(crate) async fn run(&mut self, ended: &Notify, mut stop: Stop) -> Result<(), PumpError> {
        let (mut chunk, mut errors) = (vec![0; CHUNK_BYTES], vec![0; CHUNK_BYTES]);
        let (mut last, mut stopping) = (false, false);
        while self.text.flows() || self.errors.flows() {
            tokio::select! {
                biased;
                // first, before the signal changes what the job is doing
                () = stop.requested(), if !stopping => {
                    stopping = true;
                    self.sink.findings.doing = self.sink.findings.tracker.doing(&self.root);
                }
                // before the output, which may never stop
                () = ended.notified(), if !last => {
                    last = true;
                    self.last()?;
                }
                length = self.text.read(&mut chunk) => self.take(&chunk[..length?]).await?,
                length = self.errors.read(&mut errors) => self.take_errors(&errors[..length?]).await?,
                filled = self.lines.fill(), if self.lines.wants_more() => filled?,
            }
            self.read_notes();
        }
        self.finish().await
    }

    fn last(&mut self) -> io::Result<()> {
        self.text.last()?;
        self.errors.last()?;
        self.lines.last()
    }

    /// Adds a line of our own to the job's output.
    pub(crate) async fn say(&mut self, line: &str) -> Result<(), PumpError> {
        let line = format!("{}\n", self.redactor.text(line));
        let switch = |channel| redact::Piece::Mark(Mark::Switch(channel));
        let text = redact::Piece::Text(Cow::Owned(line.into_bytes()));
        let pieces = vec![switch(Channel::Stderr), text, switch(Channel::Stdout)];
        Ok(self.sink.take(pieces).await?)
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
                Piece::Switch(channel) => {
                    self.channel = channel;
                    Some(Mark::Switch(channel))
                }
            };
            if let Some(mark) = mark {
                self.push(redact::Piece::Mark(mark)).await?;
            }
        }
        Ok(())
    }

    async fn take_errors(&mut self, chunk: &[u8]) -> Result<(), PumpError> {
        self.push(redact::Piece::Mark(Mark::Switch(Channel::Stderr))).await?;
        self.push(redact::Piece::Text(Cow::Borrowed(chunk))).await?;
        self.push(redact::Piece::Mark(Mark::Switch(self.channel))).await
    }

    async fn push(&mut self, piece: redact::Piece<'_, Mark>) -> Result<(), PumpError> {
        Ok(self.sink.take(self.stream.push(piece)).await?)
    }

    async fn finish(&mut self) -> Result<(), PumpError> {
        let rest = Cow::Borrowed(self.demux.finish());
        self.sink.take(self.stream.push(redact::Piece::Text(rest))).await?;
        self.sink.take(self.stream.finish()).await?;
        self.sink.take(vec![redact::Piece::Mark(Mark::End)]).await?;
        while self.lines.flows() {
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
            if !self.lines.flows() {
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
        while let Some(note) = self.lines.whole.front().and_then(|line| Note::read(line)) {
            self.lines.whole.pop_front();
            self.sink.findings.learn(note.redacted(&self.redactor), &self.root);
        }
    }
}

#[cfg(test)]
mod tests;
