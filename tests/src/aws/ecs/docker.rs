//! Runs the containers of tasks, by Docker's own command line.

use std::process::Stdio;

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::process::Command;

/// A Docker engine.
pub(super) struct Docker {
    address: String,
}

impl Docker {
    pub(super) fn from_environment() -> anyhow::Result<Self> {
        let address = std::env::var("CALLBOARD_TEST_DOCKER").context(
            "CALLBOARD_TEST_DOCKER names no engine; `python3 tests/emulators.py run -- COMMAND` finds or starts one",
        )?;
        Ok(Self { address })
    }

    /// Starts a container with what a task overrides; returns the digest of its image.
    pub(super) async fn run(&self, name: &str, image: &str, overrides: &Value) -> anyhow::Result<String> {
        let mut arguments: Vec<String> = [
            "run",
            "--detach",
            "--pull",
            "never",
            "--network",
            "none",
            "--user",
            "65534",
        ]
        .map(str::to_owned)
        .into();
        arguments.extend(["--name".to_owned(), name.to_owned()]);
        for variable in overrides["environment"].as_array().into_iter().flatten() {
            let text = |field: &str| variable[field].as_str().unwrap_or_default().to_owned();
            arguments.extend(["--env".to_owned(), format!("{}={}", text("name"), text("value"))]);
        }
        arguments.push(image.to_owned());
        let command = overrides["command"].as_array().into_iter().flatten();
        arguments.extend(command.filter_map(Value::as_str).map(str::to_owned));
        self.call(&arguments).await?;
        let format = "{{.Image}}".to_owned();
        let digest = self
            .call(&["inspect".to_owned(), "--format".to_owned(), format, name.to_owned()])
            .await?;
        Ok(digest.trim().to_owned())
    }

    /// Waits for the end of a container; returns its exit code.
    pub(super) async fn wait(&self, name: &str) -> anyhow::Result<i32> {
        let code = self.call(&["wait".to_owned(), name.to_owned()]).await?;
        Ok(code.trim().parse()?)
    }

    /// Returns the lines that a container has printed.
    pub(super) async fn log(&self, name: &str) -> anyhow::Result<Vec<String>> {
        let mut command = self.command(&["logs".to_owned(), name.to_owned()]);
        let output = command.stderr(Stdio::piped()).output().await?;
        let lines = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&lines).lines().map(str::to_owned).collect())
    }

    /// Ends a container, with time to end by itself.
    pub(super) fn stop(&self, name: &str) {
        self.tell(&["stop", "--time", "2", name]);
    }

    pub(super) fn remove(&self, name: &str) {
        self.tell(&["rm", "--force", name]);
    }

    /// Has something done whose end nobody waits for.
    fn tell(&self, arguments: &[&str]) {
        let mut command = std::process::Command::new("docker");
        command.arg("--host").arg(&self.address).args(arguments);
        let _unheard = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
    }

    async fn call(&self, arguments: &[String]) -> anyhow::Result<String> {
        let output = self.command(arguments).stderr(Stdio::piped()).output().await?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "docker {arguments:?}: {told}");
        Ok(String::from_utf8(output.stdout)?)
    }

    fn command(&self, arguments: &[String]) -> Command {
        let mut command = Command::new("docker");
        command.arg("--host").arg(&self.address).args(arguments);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }
}
