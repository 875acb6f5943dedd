//! The process that a launcher has made for a job, and the channel to it.

use std::io;
use std::os::fd::OwnedFd;

use callboard_sandbox::{Command, Plan, Report, Sandbox, Task, encode};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::unix::pipe::Receiver;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// The process of a job. When this is dropped, the channel is closed, and the process ends the program and everything that it started.
pub(crate) struct Launched {
    reports: Lines<BufReader<OwnedReadHalf>>,
    commands: OwnedWriteHalf,
}

/// What a program prints.
pub(crate) struct Pipes {
    pub(crate) stdout: Receiver,
    pub(crate) stderr: Receiver,
}

impl Launched {
    /// Has the launcher begin with a plan.
    pub(crate) async fn start(sandbox: &Sandbox, plan: Plan) -> io::Result<(Self, Pipes)> {
        let task = encode(&Task::Run(Box::new(plan)))?;
        let ((stdout, their_stdout), (stderr, their_stderr)) = (io::pipe()?, io::pipe()?);
        let channel = sandbox.channel(their_stdout, their_stderr)?;
        channel.set_nonblocking(true)?;
        let pipes = Pipes {
            stdout: Receiver::from_owned_fd(OwnedFd::from(stdout))?,
            stderr: Receiver::from_owned_fd(OwnedFd::from(stderr))?,
        };
        let (reports, mut commands) = tokio::net::UnixStream::from_std(channel)?.into_split();
        // one that ends before it has read all of it says why, or ends without a report
        let _unread = commands.write_all(&task).await;
        let launched = Self {
            reports: BufReader::new(reports).lines(),
            commands,
        };
        Ok((launched, pipes))
    }

    /// Returns the next report; `None` if the process has ended, and the program with it.
    pub(crate) async fn report(&mut self) -> io::Result<Option<Report>> {
        match self.reports.next_line().await {
            Ok(Some(line)) => Ok(Some(serde_json::from_str(&line)?)),
            Ok(None) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks for something. A process that has ended needs nothing any more.
    pub(crate) async fn command(&mut self, command: Command) {
        let _ended = self.commands.write_all(&[command.byte()]).await;
    }
}
