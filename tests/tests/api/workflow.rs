//! A service that lets in workflows of a repository by their tokens, and what such a workflow runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use callboard_testkit::calls::Authority;
use callboard_tests::client::Answer;
use callboard_tests::issuer::{Issuer, REQUEST_TOKEN};
use callboard_tests::log::Log;
use callboard_tests::{Client, Finished, Service, playbooks, wait};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) issuer: Issuer,
    pub(crate) service: Service,
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) async fn start(authority: &Authority, lifetime: i64) -> anyhow::Result<Self> {
        let issuer = Issuer::start(authority, lifetime).await?;
        let folder = tempfile::tempdir()?;
        let playbook = |name: &str| folder.path().join("playbooks").join(name);
        fs::create_dir_all(folder.path().join("checkout/ci"))?;
        fs::create_dir(folder.path().join("playbooks"))?;
        fs::copy(playbooks().join("wait_for_file.yml"), playbook("wait_for_file.yml"))?;
        fs::write(playbook("deploy.yml"), DEPLOY)?;
        fs::copy(example("run-job.sh"), folder.path().join("checkout/ci/run-job.sh"))?;
        let service = start(folder.path(), &issuer.url)?;
        Ok(Self {
            issuer,
            service,
            folder,
        })
    }

    /// Returns a client that shows a token.
    pub(crate) fn client(&self, changed: Option<(&str, Value)>) -> Client {
        self.service.client().showing(&self.issuer.token(changed))
    }

    pub(crate) fn checkout(&self) -> PathBuf {
        self.folder.path().join("checkout")
    }

    /// Has a workflow run commands as GitHub does, in the checkout.
    pub(crate) fn workflow(&self, commands: &str, run: &str) -> anyhow::Result<Command> {
        let mut command = Command::new("bash");
        command
            .args(["-e", "-c", commands])
            .current_dir(self.checkout())
            .env("CALLBOARD_URL", format!("http://{}", self.service.address()?))
            .env("CALLBOARD_RUN", run)
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_SHA", "0123abc")
            .env(
                "ACTIONS_ID_TOKEN_REQUEST_URL",
                format!("{}/token?api-version=2.0", self.issuer.url),
            )
            .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN);
        // curl has a variable of its own for what it trusts, which comes before the usual one
        command.env("CURL_CA_BUNDLE", std::env::var_os("SSL_CERT_FILE").unwrap_or_default());
        command.env("NO_PROXY", "127.0.0.1");
        Ok(command)
    }

    /// Has a workflow run the script with a request, and waits for its end.
    pub(crate) fn run(&self, request: &Value, run: &str) -> anyhow::Result<Finished> {
        fs::write(self.checkout().join("request.json"), request.to_string())?;
        let mut command = self.workflow("exec sh ci/run-job.sh request.json", run)?;
        let finished = Finished::from(command.output()?);
        self.tells_no_secret(&finished.stdout)?;
        self.tells_no_secret(&finished.stderr)?;
        Ok(finished)
    }

    /// Starts a workflow whose job runs until the file that is returned is there.
    pub(crate) async fn follow(&self) -> anyhow::Result<Following> {
        let file = self.folder.path().join("go");
        let request = json!({"playbook": "wait_for_file.yml", "inventory": "staging,", "extra_vars": {"file": file}});
        fs::write(self.checkout().join("request.json"), request.to_string())?;
        let mut command = self.workflow("exec sh ci/run-job.sh request.json", "follow")?;
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let printed = Log::default();
        printed.collect(child.stdout.take().context("standard output is piped")?);
        printed.collect(child.stderr.take().context("standard error is piped")?);
        let following = Following { child, printed, file };
        following.prints("TASK [Wait until the file is there]").await?;
        Ok(following)
    }

    pub(crate) fn tells_no_secret(&self, text: &str) -> anyhow::Result<()> {
        let given = self.issuer.given();
        let mut parts = given.iter().flat_map(|token| token.split('.').skip(1));
        ensure!(
            !text.contains(REQUEST_TOKEN) && !parts.any(|part| text.contains(part)),
            "{text}"
        );
        Ok(())
    }

    /// Returns the record of the job that the script says it has submitted, once that has ended.
    pub(crate) async fn job_of(&self, printed: &str) -> anyhow::Result<Value> {
        let file = self.checkout().join("callboard-job");
        ensure!(!file.exists(), "{} is left: {printed}", file.display());
        let id = printed.split("callboard: job ").nth(1);
        let id = id.and_then(|told| told.split_once(" is submitted")).context("an id")?.0;
        self.client(None).ended(id).await
    }
}

/// A workflow that follows a job.
pub(crate) struct Following {
    pub(crate) child: Child,
    pub(crate) printed: Log,
    pub(crate) file: PathBuf,
}

impl Following {
    pub(crate) async fn prints(&self, text: &str) -> anyhow::Result<()> {
        let what = format!("{text:?} is printed");
        let waited = wait::until(&what, || self.printed.text().contains(text)).await;
        waited.with_context(|| self.printed.text())
    }

    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        Ok(kill_process(pid.context("a process id")?, signal)?)
    }

    pub(crate) async fn ends(&mut self) -> anyhow::Result<i32> {
        let mut code = None;
        wait::until_async("the script ends", async || {
            code = self.child.try_wait()?;
            Ok(code.is_some())
        })
        .await?;
        Ok(code.and_then(|code| code.code()).unwrap_or(-1))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

const DEPLOY: &str = r#"
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "Version {{ version }}, äöü"
    - ansible.builtin.fail:
        msg: There is no such version.
      when: version == "none"
"#;

/// Starts a service with a rule for tokens of an issuer.
pub(crate) fn start(folder: &Path, issuer: &str) -> anyhow::Result<Service> {
    allow(folder, issuer, "acme/web")?;
    serve(folder)
}

/// Starts a service with the policy that is there.
pub(crate) fn serve(folder: &Path) -> anyhow::Result<Service> {
    let policy = folder.join("policy.yml").display().to_string();
    Service::start_with(&folder.join("data"), &folder.join("playbooks"), &["--policy", &policy])
}

/// Writes a policy with a rule for workflows of a repository.
pub(crate) fn allow(folder: &Path, issuer: &str, repository: &str) -> anyhow::Result<()> {
    let scopes = [
        "jobs:run[playbook=deploy.yml,playbook=wait_for_file.yml,inventory=staging]",
        "jobs:read[own]",
        "jobs:cancel[own]",
    ];
    let rule = json!({
        "issuer": issuer,
        "audience": "callboard",
        "claims": {"repository": repository, "ref": "refs/heads/*"},
        "tenant": "web",
        "scopes": scopes,
        "sessions": true,
    });
    // JSON is also valid YAML
    let policy = json!({"callers": {"oidc": [rule]}}).to_string();
    Ok(fs::write(folder.join("policy.yml"), policy)?)
}

pub(crate) fn deploy(version: &str) -> Value {
    json!({"playbook": "deploy.yml", "inventory": "staging,", "extra_vars": {"version": version}})
}

pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/ci").join(name)
}

/// Checks the status of an answer, and that its detail has a text.
pub(crate) fn is(answer: &Answer, status: u16, detail: &str) -> anyhow::Result<()> {
    let told = answer.body["detail"].as_str().unwrap_or_default();
    ensure!(answer.status == status && told.contains(detail), "{detail}: {answer:?}");
    Ok(())
}
