//! The channel between the service and the process that does a task: a pair of sockets.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use serde::Serialize;

use crate::plan::Task;

/// A task has at most this many bytes.
const MAX_TASK_BYTES: u32 = 64 * 1024 * 1024;

/// What the service asks for while a program runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command {
    /// To send everything the signal TERM.
    Terminate,
    /// To end everything at once. That is done as well when the channel is closed.
    Kill,
}

impl Command {
    /// Returns the byte that stands for it.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Terminate => b't',
            Self::Kill => b'k',
        }
    }
}

/// Writes a task as it is read: its length, in four bytes with the highest first, and JSON.
///
/// # Errors
/// It cannot be written as JSON, or is too large.
pub fn encode(task: &Task) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(task)?;
    let length = u32::try_from(json.len())
        .ok()
        .filter(|length| *length <= MAX_TASK_BYTES);
    let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the task is too large"))?;
    Ok([&length.to_be_bytes(), json.as_slice()].concat())
}

/// The launcher's end of the channel.
pub(crate) struct Control(UnixStream);

impl Control {
    /// Uses a socket.
    pub(crate) fn new(socket: UnixStream) -> Self {
        Self(socket)
    }

    /// Reads the task.
    pub(crate) fn task(&mut self) -> io::Result<Task> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        if length > MAX_TASK_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the task is too large"));
        }
        let mut json = vec![0; length as usize];
        self.0.read_exact(&mut json)?;
        Ok(serde_json::from_slice(&json)?)
    }

    /// Reports something. Who no longer listens has closed the channel, which is seen elsewhere.
    pub(crate) fn report(&self, report: &impl Serialize) {
        if let Ok(mut line) = serde_json::to_vec(report) {
            line.push(b'\n');
            let _closed = (&self.0).write_all(&line);
        }
    }

    /// Reads what is asked for, once there is something to read.
    pub(crate) fn command(&self) -> Command {
        let mut byte = [0];
        match (&self.0).read(&mut byte) {
            Ok(1) if byte[0] == Command::Terminate.byte() => Command::Terminate,
            _ => Command::Kill,
        }
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
