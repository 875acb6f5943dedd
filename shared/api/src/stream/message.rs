//! The messages of a stream, as server-sent events.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::live::{Part, Piece, Selection};
use crate::params::Params;

/// A type of messages that may be left out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MessageType {
    /// The state of the job.
    Status,
    /// How far it has got.
    Progress,
    /// Its output.
    Log,
    /// Its events.
    Event,
}

impl MessageType {
    const ALL: [Self; 4] = [Self::Status, Self::Progress, Self::Log, Self::Event];

    fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Progress => "progress",
            Self::Log => "log",
            Self::Event => "event",
        }
    }
}

/// The types of messages that a client wants.
pub(super) struct Types(Vec<MessageType>);

impl Types {
    /// Takes the parameter `types`.
    pub(super) fn take(params: &mut Params) -> Self {
        let names = params.texts("types");
        let known = |name: &str| MessageType::ALL.into_iter().find(|known| known.as_str() == name);
        if let Some(name) = names.iter().find(|name| !name.is_empty() && known(name).is_none()) {
            let all = MessageType::ALL.map(MessageType::as_str).join(", ");
            params.refuse("types", format!("has {name:?}, but known are: {all}"));
        }
        let wanted: Vec<MessageType> = names.iter().filter_map(|name| known(name)).collect();
        Self(if wanted.is_empty() {
            MessageType::ALL.to_vec()
        } else {
            wanted
        })
    }

    /// Returns whether the client wants messages of a type.
    pub(super) fn has(&self, message: MessageType) -> bool {
        self.0.contains(&message)
    }

    /// Returns what the client wants of what a job leaves.
    pub(super) fn selection(&self, attempt: Option<u32>) -> Selection {
        Selection {
            attempt,
            output: self.has(MessageType::Log),
            events: self.has(MessageType::Event),
        }
    }
}

/// The data of a `log` message.
#[derive(Serialize)]
struct Log<'a> {
    attempt: u32,
    offset: u64,
    text: &'a str,
}

/// The data of an `event` message.
#[derive(Serialize)]
struct Event<'a> {
    attempt: u32,
    event: &'a RawValue,
}

/// The data of a `gap` message.
#[derive(Serialize)]
struct Gap<'a> {
    attempt: u32,
    missing: &'a str,
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub(super) enum End {
    /// The job has ended, and everything is told.
    Ended,
    /// The attempt that was asked for has ended, and everything is told.
    AttemptEnded,
    /// The answer has lasted as long as one may.
    Reconnect,
    /// The service stops.
    Shutdown,
}

/// Makes the message of something that a job has left, without its id.
pub(super) fn of_piece(piece: &Piece) -> Bytes {
    let attempt = piece.attempt;
    match &piece.part {
        Part::Output { offset, bytes } => {
            let (offset, text) = (*offset, &*String::from_utf8_lossy(bytes));
            message("log", &Log { attempt, offset, text })
        }
        Part::Event { line, .. } => match serde_json::from_slice(line) {
            Ok(event) => message("event", &Event { attempt, event }),
            Err(_) => {
                let missing = "an event is damaged";
                message("gap", &Gap { attempt, missing })
            }
        },
        Part::Gap(missing) => message("gap", &Gap { attempt, missing }),
    }
}

/// Makes the message of an end.
pub(super) fn of_end(end: End) -> Bytes {
    message("end", &end)
}

/// Makes a message of data that is JSON already, on one line.
pub(super) fn of_json(name: &str, json: &[u8]) -> Bytes {
    [b"event: ", name.as_bytes(), b"\ndata: ", json, b"\n\n"]
        .concat()
        .into()
}

fn message(name: &str, data: &impl Serialize) -> Bytes {
    of_json(name, &serde_json::to_vec(data).unwrap_or_default())
}
