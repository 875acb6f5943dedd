//! A running `callboard serve` with its own data folder.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use crate::client::Client;
use crate::log::Log;
use crate::program::callboard;
use crate::servers::Servers;

const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// The service, which is killed when dropped.
pub struct Service {
    child: Child,
    address: String,
    log: Log,
}

impl Service {
    /// Starts a service on a free port, with the tests' playbooks and a new data folder.
    ///
    /// # Errors
    /// The service does not start.
    pub fn start(arguments: &[&str]) -> anyhow::Result<(Self, TempDir)> {
        let data = tempfile::tempdir()?;
        let service = Self::start_in(data.path(), arguments)?;
        Ok((service, data))
    }

    /// Starts a service on a data folder that may have been used before.
    ///
    /// # Errors
    /// The service does not start.
    pub fn start_in(data: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        Self::start_with(data, &crate::playbooks(), arguments)
    }

    /// Starts a service on a data folder and a playbooks folder.
    ///
    /// # Errors
    /// The service does not start.
    pub fn start_with(data: &Path, playbooks: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let mut command = callboard(data)?;
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--playbooks"])
            .arg(playbooks)
            .args(arguments);
        Self::spawn(command)
    }

    /// Starts a service that trusts the servers' certificates and lets requests reach what `policy` allows; `prepare` can add
    /// arguments and variables.
    ///
    /// # Errors
    /// The service does not start.
    pub fn start_among(
        servers: &Servers,
        policy: &Value,
        data: &Path,
        prepare: impl FnOnce(&mut Command) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let (mut file, path) = NamedTempFile::new_in(servers.folder())?.keep()?;
        // JSON is also valid YAML
        file.write_all(policy.to_string().as_bytes())?;
        let mut command = callboard(data)?;
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--playbooks"])
            .arg(crate::playbooks())
            .arg("--policy")
            .arg(path)
            .env("SSL_CERT_FILE", servers.authority());
        prepare(&mut command)?;
        Self::spawn(command)
    }

    /// Starts a prepared `callboard serve` command, which must listen on a free port.
    ///
    /// # Errors
    /// The service does not start.
    pub fn spawn(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let stderr = child.stderr.take().context("standard error is piped")?;
        let log = Log::default();
        log.collect(stderr);
        let mut service = Self {
            child,
            address: String::new(),
            log,
        };
        service.address = service.wait_for_address()?;
        Ok(service)
    }

    /// Returns a client of its API.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(format!("http://{}", self.address))
    }

    /// Returns the address that it listens on.
    ///
    /// # Errors
    /// The logged address cannot be parsed.
    pub fn address(&self) -> anyhow::Result<std::net::SocketAddr> {
        self.address.parse().context("an address and a port")
    }

    /// Returns the process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The process is gone.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .context("a process id")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// It takes too long.
    pub fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        let deadline = Instant::now() + STOP_LIMIT;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the service does not end; its log:\n{}", self.log())
    }

    fn wait_for_address(&mut self) -> anyhow::Result<String> {
        let deadline = Instant::now() + START_LIMIT;
        while Instant::now() < deadline {
            let log = self.log();
            let line = log.lines().find(|line| line.contains("listening"));
            if let Some(address) = line.and_then(address) {
                return Ok(address);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the service ended with {status}; its log:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the service does not come up; its log:\n{}", self.log())
    }
}

/// Reads the address from a log line, in either format.
fn address(line: &str) -> Option<String> {
    let json: Option<Value> = serde_json::from_str(line).ok();
    let found = match &json {
        Some(line) => line["address"].as_str(),
        None => line.split("address=").nth(1),
    };
    found.map(|address| address.trim().to_owned())
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
