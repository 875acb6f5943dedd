//! A launcher that was started for a job, and the channel to it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use callboard_sandbox::{ARGUMENT, Command, Plan, Report, Sandbox, Task, encode};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, ChildStderr, ChildStdout};

/// A launcher of a job. When it is dropped, the channel is closed, and the launcher ends the program and everything that it started.
pub(crate) struct Launched {
    child: Child,
    reports: Lines<BufReader<OwnedReadHalf>>,
    commands: OwnedWriteHalf,
}

/// What a program prints.
pub(crate) struct Pipes {
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: ChildStderr,
}

impl Launched {
    /// Starts the launcher with a plan.
    pub(crate) async fn start(sandbox: &Sandbox, plan: Plan) -> io::Result<(Self, Pipes)> {
        let task = encode(&Task::Run(Box::new(plan)))?;
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut child = tokio::process::Command::new(sandbox.launcher())
            .arg(ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // what a terminal sends to the service's processes is not for this one
            .process_group(0)
            .spawn()?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
            return Err(io::Error::other("the launcher has no pipes"));
        };
        let (reports, mut commands) = tokio::net::UnixStream::from_std(ours)?.into_split();
        // one that ends before it has read all of it says why, or ends without a report
        let _unread = commands.write_all(&task).await;
        let launched = Self {
            child,
            reports: BufReader::new(reports).lines(),
            commands,
        };
        Ok((launched, Pipes { stdout, stderr }))
    }

    /// Returns the next report; `None` if the launcher has ended.
    pub(crate) async fn report(&mut self) -> io::Result<Option<Report>> {
        match self.reports.next_line().await {
            Ok(Some(line)) => Ok(Some(serde_json::from_str(&line)?)),
            Ok(None) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks for something. A launcher that has ended needs nothing any more.
    pub(crate) async fn command(&mut self, command: Command) {
        let _ended = self.commands.write_all(&[command.byte()]).await;
    }

    /// Waits for the launcher's own end.
    pub(crate) async fn end(mut self) -> io::Result<()> {
        drop((self.commands, self.reports));
        self.child.wait().await?;
        Ok(())
    }
}
