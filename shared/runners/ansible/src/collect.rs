//! Combines events with the output that belongs to them, as ansible-runner's `OutputEventFilter` does.

use callboard_core::base::time::{Clock, SystemClock};
use callboard_core::redact::Redactor;
use callboard_kind_ansible::event::Event;
use callboard_kind_ansible::event_names::NAMES;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// How many bytes of its output an event carries; the log has all of it.
const MAX_EVENT_STDOUT: usize = 64 * 1024;

/// An event as Ansible's callback sends it, which ansible-runner calls the partial event.
#[derive(Debug, Deserialize)]
pub(crate) struct PartialEvent {
    pub(crate) uuid: String,
    pub(crate) event: String,
    pid: Option<i64>,
    created: Option<String>,
    parent_uuid: Option<String>,
    verbosity: Option<i64>,
    #[serde(default)]
    rescued: bool,
    pub(crate) event_data: Option<Box<RawValue>>,
}

impl PartialEvent {
    /// Redacts the event's data; its name and its ids come from Ansible.
    pub(crate) fn redact(&mut self, redactor: &Redactor) {
        let Some(data) = self.event_data.take() else { return };
        let redacted = String::from_utf8(redactor.json(data.get().as_bytes(), NAMES)).ok();
        self.event_data = redacted.and_then(|data| RawValue::from_string(data).ok());
    }
}

/// Numbers the events of one job and gives each its output.
pub(crate) struct Collector {
    job: String,
    counter: u64,
    line: u64,
    current: Option<PartialEvent>,
    text: Text,
}

/// Output that belongs to one event: its beginning, and how many lines it had.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    length: usize,
    lines: u64,
}

impl Collector {
    /// Starts the events of a job.
    pub(crate) fn new(job: String) -> Self {
        Self {
            job,
            counter: 0,
            line: 0,
            current: None,
            text: Text::default(),
        }
    }

    /// Takes output. Outside an event, every complete line is an event of its own, named `verbose`.
    pub(crate) fn text(&mut self, bytes: &[u8], emit: &mut Vec<Event>) {
        if self.current.is_some() {
            return self.text.push(bytes);
        }
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.text.push(line);
            if line.ends_with(b"\n") {
                emit.extend(self.take());
            }
        }
    }

    /// Starts an event; earlier output that belongs to no event becomes an event of its own.
    pub(crate) fn begin(&mut self, event: PartialEvent, emit: &mut Vec<Event>) {
        emit.extend(self.take());
        self.current = Some(event);
    }

    /// Ends the event that was started last.
    pub(crate) fn end(&mut self, emit: &mut Vec<Event>) {
        emit.extend(self.take());
    }

    fn take(&mut self) -> Option<Event> {
        let text = std::mem::take(&mut self.text);
        let partial = match self.current.take() {
            Some(partial) => partial,
            None if text.length > 0 => verbose(),
            None => return None,
        };
        self.counter += 1;
        let start_line = self.line;
        self.line += text.lines;
        Some(Event {
            uuid: partial.uuid,
            counter: self.counter,
            stdout_truncated: text.length > text.bytes.len(),
            stdout: text.into_string(),
            start_line,
            end_line: self.line,
            runner_ident: self.job.clone(),
            event: partial.event,
            pid: partial.pid,
            created: partial.created,
            parent_uuid: partial.parent_uuid,
            verbosity: partial.verbosity,
            rescued: partial.rescued,
            event_data: partial.event_data,
        })
    }
}

impl Text {
    fn push(&mut self, bytes: &[u8]) {
        let room = MAX_EVENT_STDOUT.saturating_sub(self.bytes.len()).min(bytes.len());
        self.bytes.extend_from_slice(&bytes[..room]);
        self.length += bytes.len();
        self.lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
    }

    fn into_string(self) -> String {
        String::from_utf8_lossy(&self.bytes)
            .trim_end_matches(['\r', '\n'])
            .to_owned()
    }
}

fn verbose() -> PartialEvent {
    PartialEvent {
        uuid: Uuid::new_v4().to_string(),
        event: "verbose".to_owned(),
        pid: None,
        created: Some(SystemClock.now().to_string()),
        parent_uuid: None,
        verbosity: None,
        rescued: false,
        event_data: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partial(name: &str) -> PartialEvent {
        PartialEvent {
            uuid: name.to_owned(),
            event: name.to_owned(),
            ..verbose()
        }
    }

    #[test]
    fn every_byte_belongs_to_one_event_and_lines_are_counted_through() {
        let mut collector = Collector::new("job".to_owned());
        let mut events = Vec::new();
        collector.text(b"[WARN", &mut events);
        collector.text(b"ING]\nloose", &mut events);
        collector.begin(partial("play"), &mut events);
        collector.text(b"\nPLAY\n", &mut events);
        collector.end(&mut events);
        collector.end(&mut events);
        collector.begin(partial("silent"), &mut events);
        collector.end(&mut events);
        let seen: Vec<_> = events
            .iter()
            .map(|e| (e.counter, e.event.as_str(), e.stdout.as_str(), e.start_line, e.end_line))
            .collect();
        assert_eq!(
            seen,
            [
                (1, "verbose", "[WARNING]", 0, 1),
                (2, "verbose", "loose", 1, 1),
                (3, "play", "\nPLAY", 1, 3),
                (4, "silent", "", 3, 3),
            ]
        );
    }

    #[test]
    fn an_event_carries_the_beginning_of_a_long_output_and_says_so() {
        let mut collector = Collector::new("job".to_owned());
        let mut events = Vec::new();
        collector.begin(partial("long"), &mut events);
        for _ in 0..1000 {
            collector.text(&[b'x'; 1000], &mut events);
        }
        collector.end(&mut events);
        assert_eq!(events[0].stdout.len(), MAX_EVENT_STDOUT);
        assert!(events[0].stdout_truncated);
    }
}
