//! The launcher as a service sees it.

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::control::encode;
use crate::launch::ARGUMENT;
use crate::plan::Task;
use crate::report::{Abilities, Report};
use crate::settings;

/// The launcher of a service, and what it can enforce.
#[derive(Debug)]
pub struct Sandbox {
    launcher: PathBuf,
    abilities: Mutex<Option<Abilities>>,
    settings: Mutex<Option<(Instant, Vec<PathBuf>)>>,
}

/// How long what is known of the system's settings is taken for true.
const SETTINGS_PERIOD: Duration = Duration::from_secs(60);

impl Sandbox {
    /// Names a program that calls [`crate::launch_if_asked`] first. `/proc/self/exe` is the service's own program, even while an
    /// upgrade replaces its file.
    #[must_use]
    pub fn new(launcher: PathBuf) -> Self {
        Self {
            launcher,
            abilities: Mutex::default(),
            settings: Mutex::default(),
        }
    }

    /// Returns the program.
    #[must_use]
    pub fn launcher(&self) -> &Path {
        &self.launcher
    }

    /// Finds out once what the system can enforce, by starting the launcher and having it try. It blocks for a few milliseconds.
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

    /// Returns what programs may read of the system's settings, in `/etc`: what is no secret. It blocks for a few milliseconds, once
    /// a minute.
    pub fn settings(&self) -> Vec<PathBuf> {
        let mut known = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((at, settings)) if at.elapsed() < SETTINGS_PERIOD => settings.clone(),
            _ => {
                let found = settings::readable();
                *known = Some((Instant::now(), found.clone()));
                found
            }
        }
    }

    fn ask(&self) -> io::Result<Abilities> {
        let (mut ours, theirs) = UnixStream::pair()?;
        let mut launcher = Command::new(&self.launcher)
            .arg(ARGUMENT)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let asked = ours.write_all(&encode(&Task::Probe)?);
        let mut line = String::new();
        let read = asked.and_then(|()| BufReader::new(&ours).read_line(&mut line));
        drop(ours);
        let _exit_code = launcher.wait()?;
        read?;
        match serde_json::from_str(&line) {
            Ok(Report::Probed(abilities)) => Ok(abilities),
            _ => Err(io::Error::other("the launcher does not tell what it can enforce")),
        }
    }
}
