//! A service whose jobs may reach the tests' servers.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use anyhow::{Context, ensure};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Client;
use crate::servers::{Part, Servers};
use crate::service::Service;
use crate::text::plain;

/// The service, its folders and the servers.
pub struct Site {
    /// The service.
    pub service: Service,
    /// The data folder.
    pub data: TempDir,
    /// The folder with the folders of running jobs.
    pub work: TempDir,
    /// The servers.
    pub servers: Servers,
}

/// A job that has ended.
#[derive(Debug)]
pub struct Played {
    /// Its id.
    pub id: String,
    /// Its record.
    pub job: Value,
    /// What it printed, without ANSI colours.
    pub log: String,
}

impl Site {
    /// Starts servers, and a service with the policy that `policy` makes for them. The service trusts their certificates.
    ///
    /// # Errors
    /// A server or the service does not start.
    pub fn start(parts: &[Part], policy: impl FnOnce(&Servers) -> anyhow::Result<Value>) -> anyhow::Result<Self> {
        Self::start_with(parts, policy, |_command| Ok(()))
    }

    /// Does the same, but lets `prepare` add to the service's command line.
    ///
    /// # Errors
    /// A server or the service does not start.
    pub fn start_with(
        parts: &[Part],
        policy: impl FnOnce(&Servers) -> anyhow::Result<Value>,
        prepare: impl FnOnce(&mut Command) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let servers = Servers::start(parts)?;
        let (data, work) = (tempfile::tempdir()?, tempfile::tempdir()?);
        // the users of jobs pass through the one, and not through the other
        fs::set_permissions(work.path(), Permissions::from_mode(0o711))?;
        fs::set_permissions(data.path(), Permissions::from_mode(0o700))?;
        let policy = policy(&servers)?;
        let service = Service::start_among(&servers, &policy, data.path(), |command| {
            command.args(["--workers", "4", "--work"]).arg(work.path());
            prepare(command)
        })?;
        Ok(Self {
            service,
            data,
            work,
            servers,
        })
    }

    /// Returns a client of the service.
    #[must_use]
    pub fn client(&self) -> Client {
        self.service.client()
    }

    /// Stores a credential.
    ///
    /// # Errors
    /// The credential is refused.
    pub async fn store(&self, name: &str, credential: &Value) -> anyhow::Result<()> {
        let mut body = credential.clone();
        body["name"] = json!(name);
        let answer = self.client().post("/api/v1/credentials", body.to_string()).await?;
        ensure!(answer.status == StatusCode::CREATED, "{name}: {answer:?}");
        Ok(())
    }

    /// Runs a job and waits until it has ended.
    ///
    /// # Errors
    /// The job is refused, or it takes too long.
    pub async fn play(&self, request: &Value) -> anyhow::Result<Played> {
        let id = self.client().submit(request).await?;
        self.played(&id).await
    }

    /// Waits until a job has ended.
    ///
    /// # Errors
    /// It takes too long.
    pub async fn played(&self, id: &str) -> anyhow::Result<Played> {
        let client = self.client();
        let job = client.ended(id).await?;
        let log = plain(&client.logs(id).await?);
        let id = id.to_owned();
        Ok(Played { id, job, log })
    }

    /// Posts a request that must be refused, and returns the detail of each fault by its pointer.
    ///
    /// # Errors
    /// The request is accepted.
    pub async fn refused(&self, request: &Value) -> anyhow::Result<Value> {
        let answer = self.client().post("/api/v1/jobs", request.to_string()).await?;
        ensure!(
            answer.status == StatusCode::UNPROCESSABLE_ENTITY,
            "{request}: {answer:?}"
        );
        let faults = answer.body["errors"].as_array().context("a refusal has errors")?;
        let fault = |fault: &Value| Some((fault["pointer"].as_str()?.to_owned(), fault["detail"].clone()));
        Ok(Value::Object(faults.iter().filter_map(fault).collect()))
    }
}

impl Played {
    /// Returns the messages that tasks have printed, in order.
    #[must_use]
    pub fn messages(&self) -> Vec<&str> {
        let lines = self
            .log
            .lines()
            .filter_map(|line| line.trim().strip_prefix("\"msg\": \""));
        lines
            .map(|line| line.trim_end_matches(',').trim_end_matches('"'))
            .collect()
    }

    /// Checks that the job failed for the given reason, and that its error contains the given words.
    ///
    /// # Errors
    /// The job ended differently, or its error lacks the words.
    pub fn failed(&self, reason: &str, words: &[&str]) -> anyhow::Result<()> {
        let (job, error) = (&self.job, self.job["error"].as_str().unwrap_or_default());
        ensure!(
            job["status"] == "failed" && job["reason"] == reason,
            "{job}\n{}",
            self.log
        );
        for word in words {
            ensure!(error.contains(word), "the error lacks {word:?}: {error:?}");
        }
        Ok(())
    }
}
