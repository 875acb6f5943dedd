//! Makes an environment: the virtual environment, what pip installs in it, a check, and the mark that it is complete.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe::Receiver;
use tokio::process::Command;

use super::{EnvironmentError, Progress, Recipe, Report};
use crate::python::{self, Python};

/// The file that is written last, so that an incomplete environment never has it.
const MARKER: &str = "complete";
/// How many of a failed command's last lines the error repeats.
const LAST_LINES: usize = 15;
/// The arguments of pip. Everything else is left to the user's pip configuration, but a `user = true` in it fails in an environment.
const PIP: [&str; 9] = [
    "-m",
    "pip",
    "--disable-pip-version-check",
    "--no-input",
    "--no-color",
    "install",
    "--no-user",
    "--progress-bar=off",
    "-r",
];

/// Makes one environment, on behalf of the holder of its lock.
pub(super) struct Maker<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) folder: &'a Path,
    pub(super) lock: &'a File,
    pub(super) progress: Report<'a>,
}

/// Returns the path of the environment's interpreter.
pub(super) fn interpreter(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}

/// Returns whether the marker is there and names what the interpreter leads to now: if a system's `python3` moves
/// from 3.12 to 3.13, it cannot use what was installed for 3.12.
pub(super) fn is_complete(folder: &Path) -> bool {
    let base = fs::canonicalize(interpreter(folder));
    let marker = fs::read(folder.join(MARKER));
    marker.is_ok_and(|marker| base.is_ok_and(|base| base.as_os_str().as_encoded_bytes() == marker))
}

impl Maker<'_> {
    /// Makes the environment from scratch.
    ///
    /// # Errors
    /// As for [`super::ensure`].
    pub(super) async fn make(&self, named: Option<&Path>) -> Result<(), EnvironmentError> {
        let base = python::find(named).await?;
        self.clear().await.map_err(|source| self.unwritable(source))?;
        (self.progress)(Progress::Creating { python: &base });
        self.create(&base).await?;
        self.install().await?;
        self.check().await?;
        self.mark().map_err(|source| self.unwritable(source))
    }

    async fn clear(&self) -> io::Result<()> {
        match tokio::fs::remove_dir_all(self.folder).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    async fn create(&self, base: &Python) -> Result<(), EnvironmentError> {
        let args = ["-m".as_ref(), "venv".as_ref(), self.folder.as_os_str()];
        let made = self.run(&base.path, &args, &|_| {}).await;
        made.map_err(|output| EnvironmentError::Venv {
            python: base.path.clone(),
            folder: self.folder.to_owned(),
            output,
        })
    }

    async fn install(&self) -> Result<(), EnvironmentError> {
        let (python, requirements) = (interpreter(self.folder), self.folder.join("requirements.txt"));
        fs::write(&requirements, &self.recipe.requirements).map_err(|source| self.unwritable(source))?;
        let mut args = PIP.map(OsStr::new).to_vec();
        args.push(requirements.as_os_str());
        let each = |line: &str| (self.progress)(Progress::Installing { line });
        let installed = self.run(&python, &args, &each).await;
        installed.map_err(|output| EnvironmentError::Pip {
            command: format!("{} -m pip install -r {}", python.display(), requirements.display()),
            output,
        })
    }

    async fn check(&self) -> Result<(), EnvironmentError> {
        let import = format!("import {}", self.recipe.modules);
        let args = ["-c".as_ref(), import.as_ref()];
        let checked = self.run(&interpreter(self.folder), &args, &|_| {}).await;
        checked.map_err(|output| EnvironmentError::Broken {
            folder: self.folder.to_owned(),
            output,
        })
    }

    fn mark(&self) -> io::Result<()> {
        let part = self.folder.join("complete.part");
        let base = fs::canonicalize(interpreter(self.folder))?;
        let mut file = File::create(&part)?;
        file.write_all(base.as_os_str().as_encoded_bytes())?;
        file.sync_all()?;
        fs::rename(part, self.folder.join(MARKER))
    }

    fn unwritable(&self, source: io::Error) -> EnvironmentError {
        let folder = self.folder.parent().unwrap_or(self.folder).to_owned();
        EnvironmentError::Cache { folder, source }
    }

    /// Runs Python until it ends; if it fails, its last lines are the error.
    async fn run(&self, python: &Path, args: &[&OsStr], each: &(dyn Fn(&str) + Sync)) -> Result<(), String> {
        let mut command = Command::new(python);
        // Isolated, because packages on PYTHONPATH would be taken for installed ones.
        command.arg("-I").args(args);
        let mut last = VecDeque::with_capacity(LAST_LINES);
        let mut keep = |line: &str| {
            each(line);
            last.truncate(LAST_LINES - 1);
            last.push_front(line.to_owned());
        };
        match self.follow(command, &mut keep).await {
            Ok(status) if status.success() => return Ok(()),
            Ok(status) => last.push_front(format!("({status})")),
            Err(error) => last.push_front(error.to_string()),
        }
        Err(last.into_iter().rev().collect::<Vec<_>>().join("\n"))
    }

    async fn follow(&self, mut command: Command, each: &mut (dyn FnMut(&str) + Send)) -> io::Result<ExitStatus> {
        let (reader, writer) = io::pipe()?;
        // The command holds the lock too: if this process is killed, the folder is not touched before the command ends.
        command.stdin(self.lock.try_clone()?).kill_on_drop(true);
        command.stdout(writer.try_clone()?).stderr(writer);
        // What a killed pip leaves behind is removed with the folder.
        command.env("TMPDIR", self.folder);
        let mut child = command.spawn()?;
        // The command holds the pipe's write end; until it is dropped, the reader would not see the end.
        drop(command);
        let mut lines = BufReader::new(Receiver::from_owned_fd(OwnedFd::from(reader))?).split(b'\n');
        while let Some(line) = lines.next_segment().await? {
            each(String::from_utf8_lossy(&line).trim_end());
        }
        child.wait().await
    }
}
