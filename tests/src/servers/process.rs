//! The program that runs all servers.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use super::Part;
use crate::log::Log;

const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(10);

/// The program. It ends, with everything that it has started, when this is dropped or the tests die.
pub(super) struct Process {
    child: Child,
    output: Log,
    errors: Log,
}

impl Process {
    /// Starts it on a folder that does not exist yet; returns the report that it prints when it is ready.
    pub(super) fn start(folder: &Path, parts: &[Part]) -> anyhow::Result<(Self, Value)> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new("python3")
            .arg(tests.join("servers/main.py"))
            .arg("--folder")
            .arg(folder)
            .arg("--ansible-galaxy")
            .arg(tests.join("../target/python-dev/bin/ansible-galaxy"))
            .args(parts.iter().map(|part| part.flag()))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("python3 is needed for the servers of the tests")?;
        let (output, errors) = (Log::default(), Log::default());
        output.collect(child.stdout.take().context("standard output is piped")?);
        errors.collect(child.stderr.take().context("standard error is piped")?);
        let mut process = Self { child, output, errors };
        let ready = process.wait_until_ready()?;
        Ok((process, ready))
    }

    fn wait_until_ready(&mut self) -> anyhow::Result<Value> {
        let deadline = Instant::now() + START_LIMIT;
        while Instant::now() < deadline {
            let output = self.output.text();
            if let Some(line) = output.lines().next() {
                return Ok(serde_json::from_str(line)?);
            }
            let ended = self.child.try_wait()?;
            sleep(PAUSE);
            if let Some(status) = ended {
                bail!("the servers of the tests ended with {status}:\n{}", self.errors.text());
            }
        }
        bail!("the servers of the tests do not come up:\n{}", self.errors.text())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + STOP_LIMIT;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            sleep(PAUSE);
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
