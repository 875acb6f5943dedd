//! The functions' binaries, as they were built next to the tests, run under AWS's own Runtime Interface Emulator.
//!
//! The emulator starts a binary at the first invocation, and again at the next one after the binary died or ran out of time. It
//! takes one invocation at a time; a second concurrent one would crash it.

mod answer;
mod pool;
mod ports;

use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::Signal;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::sleep;

pub use self::answer::{FunctionError, Streamed};
pub use self::pool::Pool;
use super::Environment;
use super::endpoints::runtime_interface_emulator;
use crate::log::Log;
use crate::processes::{descendants, signal};
use crate::program;

const START_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(10);

/// One instance of a function, which is killed when dropped.
pub struct Function {
    child: Mutex<Child>,
    emulator: u32,
    address: String,
    log: Log,
    http: reqwest::Client,
}

impl Function {
    /// Starts the emulator for a program, such as `submit`. Of this process's variables, the function sees only `PATH` and
    /// AWS's own. `AWS_LAMBDA_FUNCTION_TIMEOUT`, in seconds, limits how long an invocation may take.
    ///
    /// # Errors
    /// The program or the emulator is missing, or it does not start.
    pub async fn start(name: &str, environment: &Environment) -> anyhow::Result<Self> {
        let (address, api) = (ports::free()?, ports::free()?);
        let mut child = Command::new(runtime_interface_emulator()?)
            .args(["--runtime-interface-emulator-address", &address])
            .args(["--runtime-api-address", &api])
            .arg(program::path(name)?)
            .current_dir("/")
            .env_clear()
            .envs(std::env::vars().filter(|(name, _)| name == "PATH" || name.starts_with("AWS_")))
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = Log::default();
        log.collect(child.stdout.take().context("standard output is piped")?);
        log.collect(child.stderr.take().context("standard error is piped")?);
        let function = Self {
            emulator: child.id(),
            child: Mutex::new(child),
            address,
            log,
            http: crate::http::client(),
        };
        function.wait_for_emulator().await?;
        Ok(function)
    }

    /// Invokes the function, which must be idle.
    ///
    /// # Errors
    /// A [`FunctionError`] if the function failed, died or took too long; any other error if the emulator is gone.
    pub async fn invoke(&self, event: &Value) -> anyhow::Result<Value> {
        let response = self.post(event).await?;
        let status = response.status();
        answer::read(status, &response.bytes().await?)
    }

    /// Invokes the function, which must be idle and stream its response. The emulator delivers that when all of it is there.
    ///
    /// # Errors
    /// As [`Function::invoke`], or the response is not one that is streamed.
    pub async fn invoke_streaming(&self, event: &Value) -> anyhow::Result<Streamed> {
        let response = self.post(event).await?;
        let status = response.status();
        answer::read_streamed(status, &response.bytes().await?)
    }

    async fn post(&self, event: &Value) -> reqwest::Result<reqwest::Response> {
        let url = format!("http://{}/2015-03-31/functions/function/invocations", self.address);
        self.http.post(url).body(event.to_string()).send().await
    }

    /// Returns what the function and the emulator have printed.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Returns the process id of the function, if it is running.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        let family = descendants(self.emulator);
        let own = family.iter().find(|one| one.parent == self.emulator && !one.zombie);
        own.map(|one| one.pid)
    }

    /// Kills the function whatever it is doing; the next invocation starts it again.
    ///
    /// # Errors
    /// The function is not running.
    pub fn kill(&self) -> anyhow::Result<()> {
        signal(self.pid().context("the function does not run")?, Signal::KILL)
    }

    /// Kills the function with all processes that it started, and the emulator.
    pub fn stop(&self) {
        for process in descendants(self.emulator) {
            drop(signal(process.pid, Signal::KILL));
        }
        if let Ok(mut child) = self.child.lock() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    async fn wait_for_emulator(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(&self.address).await.is_err() {
            if Instant::now() > deadline {
                bail!("the Runtime Interface Emulator does not come up:\n{}", self.log());
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.stop();
    }
}
