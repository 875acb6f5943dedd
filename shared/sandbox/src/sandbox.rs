//! The launcher as a service sees it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::control::encode;
use crate::handover::hand;
use crate::launch::ARGUMENT;
use crate::plan::Task;
use crate::report::{Abilities, Report};

/// The launcher of a service, and what it can enforce.
#[derive(Debug)]
pub struct Sandbox {
    program: PathBuf,
    launcher: Mutex<Option<Launcher>>,
    abilities: Mutex<Option<Abilities>>,
}

/// A launcher that runs.
#[derive(Debug)]
struct Launcher {
    process: Child,
    tasks: UnixStream,
}

impl Sandbox {
    /// Names a program that calls [`crate::launch_if_asked`] first. `/proc/self/exe` is the service's own program, even while an
    /// upgrade replaces its file.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        Self {
            program,
            launcher: Mutex::default(),
            abilities: Mutex::default(),
        }
    }

    /// Finds out once what the system can enforce, by having the launcher try. It blocks for a few milliseconds.
    ///
    /// # Errors
    /// The launcher cannot be started, or does not answer.
    pub fn probe(&self) -> io::Result<Abilities> {
        let mut known = self.abilities.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(abilities) = &*known {
            return Ok(abilities.clone());
        }
        let found = self.ask()?;
        *known = Some(found.clone());
        Ok(found)
    }

    /// Has the launcher make a process for a task, which is to be sent over the returned channel; what its program prints goes to
    /// `stdout` and `stderr`. It starts the launcher if there is none, or none any more, which blocks for a few milliseconds.
    ///
    /// # Errors
    /// The launcher cannot be started, or does not take what it is handed.
    pub fn channel(&self, stdout: impl AsFd, stderr: impl AsFd) -> io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        let files = [theirs.as_fd(), stdout.as_fd(), stderr.as_fd()];
        let mut launcher = self.launcher.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(launcher) = &*launcher {
            match hand(&launcher.tasks, files) {
                Err(error) if is_gone(&error) => {}
                handed => return handed.map(|()| ours),
            }
        }
        *launcher = None;
        let started = launcher.insert(Launcher::start(&self.program)?);
        hand(&started.tasks, files)?;
        Ok(ours)
    }

    fn ask(&self) -> io::Result<Abilities> {
        let nothing = File::options().write(true).open("/dev/null")?;
        let mut channel = self.channel(&nothing, &nothing)?;
        channel.write_all(&encode(&Task::Probe)?)?;
        let mut line = String::new();
        BufReader::new(channel).read_line(&mut line)?;
        match serde_json::from_str(&line) {
            Ok(Report::Probed(abilities)) => Ok(abilities),
            _ => Err(io::Error::other("the launcher does not tell what it can enforce")),
        }
    }
}

impl Launcher {
    fn start(program: &Path) -> io::Result<Self> {
        let (tasks, theirs) = UnixStream::pair()?;
        let process = Command::new(program)
            .arg(ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // what a terminal sends to the service's processes is not for this one
            .process_group(0)
            .spawn()?;
        Ok(Self { process, tasks })
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        // the processes of its tasks go on without it
        let _ended = self.process.kill();
        let _collected = self.process.wait();
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected
    )
}
