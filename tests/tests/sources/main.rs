//! What jobs run, from real Git and Galaxy servers: fetched once, as it was committed, and only what the policy allows.

mod bundled;
mod cache;
mod collections;
mod files;
mod galaxy;
mod hostile;
mod hostile_values;
mod inline;
mod names;
mod private;
mod reach;
mod requirements;
mod revisions;
mod roles;
mod spy;
mod ssh;
mod submodules;
mod trouble;

use std::process::Command;

use anyhow::{Context, ensure};
use callboard_tests::servers::{GitServer, Repository};
use callboard_tests::{Client, Part, Servers, Service};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Servers, and a service that may reach them.
pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) client: Client,
    pub(crate) servers: Servers,
    pub(crate) data: TempDir,
}

/// A job that has ended: its record and what it printed, without colours.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) id: String,
    pub(crate) job: Value,
    pub(crate) log: String,
}

impl World {
    /// Starts servers, and a service that may reach all of them.
    pub(crate) fn start(parts: &[Part]) -> anyhow::Result<Self> {
        Self::start_with(parts, allow_all, |_| {})
    }

    /// Starts servers, and a service whose policy is made from their addresses.
    pub(crate) fn start_with(
        parts: &[Part],
        policy: impl FnOnce(&Servers) -> anyhow::Result<Value>,
        prepare: impl FnOnce(&mut Command),
    ) -> anyhow::Result<Self> {
        let (servers, data) = (Servers::start(parts)?, tempfile::tempdir()?);
        let service = Service::start_among(&servers, &policy(&servers)?, data.path(), |command| {
            prepare(command);
            Ok(())
        })?;
        Ok(Self {
            client: service.client(),
            service,
            servers,
            data,
        })
    }

    /// Returns the Git server.
    pub(crate) fn git(&self) -> anyhow::Result<&GitServer> {
        self.servers.git()
    }

    /// Returns a name that no other run of the tests has: what they fetch goes to one cache.
    pub(crate) fn name(&self, base: &str) -> String {
        let folder = self.servers.folder().file_name().unwrap_or_default().to_string_lossy();
        format!("{base}-{}", folder.trim_start_matches('.'))
    }

    /// Makes a public repository with a name of its own.
    pub(crate) fn repository(&self, base: &str) -> anyhow::Result<(Repository, String)> {
        let name = self.name(base);
        let repository = self.git()?.repository(callboard_tests::servers::Area::Public, &name)?;
        Ok((repository, name))
    }

    /// Stores a credential.
    pub(crate) async fn credential(&self, fields: &Value) -> anyhow::Result<()> {
        let answer = self.client.post("/api/v1/credentials", fields.to_string()).await?;
        ensure!(answer.status == StatusCode::CREATED, "{answer:?}");
        Ok(())
    }

    /// Runs a job to its end.
    pub(crate) async fn play(&self, request: &Value) -> anyhow::Result<Played> {
        let id = self.client.submit(request).await?;
        let job = self.client.ended(&id).await?;
        let log = callboard_tests::text::plain(&self.client.logs(&id).await?);
        Ok(Played { id, job, log })
    }

    /// Runs a source to its end; it must be successful.
    pub(crate) async fn succeed(&self, source: &Value) -> anyhow::Result<Played> {
        let played = self.play(&json!({ "source": source })).await?;
        ensure!(played.job["status"] == "successful", "{} {}", played.job, played.log);
        Ok(played)
    }

    /// Runs a source that cannot be had to its end; returns the sentence that says why.
    pub(crate) async fn fail(&self, source: &Value, reason: &str) -> anyhow::Result<String> {
        let played = self.play(&json!({ "source": source })).await?;
        let job = &played.job;
        ensure!(
            job["status"] == "failed" && job["reason"] == reason,
            "{job} {}",
            played.log
        );
        ensure!(played.log.is_empty() && job["result"]["rc"].is_null(), "{played:?}");
        let error = job["error"].as_str().context("a reason is told")?.to_owned();
        ensure!(error.ends_with('.'), "{error}");
        Ok(error)
    }
}

/// A policy that allows every server there is.
pub(crate) fn allow_all(servers: &Servers) -> anyhow::Result<Value> {
    let git = servers.git().map(|git| host(&git.url)).into_iter();
    let ssh = servers
        .ssh()
        .map(|ssh| json!({"host": format!("{}:{}", ssh.host, ssh.port)}));
    let galaxy = servers
        .galaxy()
        .map(|galaxy| vec![galaxy.url.clone(), galaxy.private_url.clone()]);
    Ok(json!({
        "git": git.map(Value::from).chain(ssh).collect::<Vec<_>>(),
        "galaxy_servers": galaxy.unwrap_or_default(),
    }))
}

/// Returns the host and the port of an address.
pub(crate) fn host(url: &str) -> &str {
    url.trim_start_matches("https://").split('/').next().unwrap_or_default()
}

/// A playbook that says something; `what` goes between double quotes, templates and all.
pub(crate) fn say(what: &str) -> String {
    format!("- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug:\n        msg: \"{what}\"\n")
}

/// The playbook of a repository, as a source.
pub(crate) fn playbook(repo: &str, path: &str) -> Value {
    json!({"type": "playbook", "repo": repo, "path": path})
}

/// The same with one more field.
pub(crate) fn with(source: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut source = source.clone();
    source[name] = value.into();
    source
}
