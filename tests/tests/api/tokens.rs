//! Tokens of OpenID Connect, of an issuer of the tests' own, and the pipelines of `examples/ci`, which show them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use callboard_testkit::calls::{Authority, in_a_process_that_trusts};
use callboard_tests::client::Answer;
use callboard_tests::issuer::{Issuer, REQUEST_TOKEN, SKEW, SUBJECT};
use callboard_tests::log::Log;
use callboard_tests::{Client, Finished, Service, callboard, playbooks, processes, wait};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A service that lets in workflows of a repository, and a checkout of it.
struct World {
    issuer: Issuer,
    service: Service,
    folder: TempDir,
}

impl World {
    async fn start(authority: &Authority, lifetime: i64) -> anyhow::Result<Self> {
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
    fn client(&self, changed: Option<(&str, Value)>) -> Client {
        self.service.client().showing(&self.issuer.token(changed))
    }

    fn checkout(&self) -> PathBuf {
        self.folder.path().join("checkout")
    }

    /// Has a workflow run commands as GitHub does, in the checkout.
    fn workflow(&self, commands: &str, run: &str) -> anyhow::Result<Command> {
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
    fn run(&self, request: &Value, run: &str) -> anyhow::Result<Finished> {
        fs::write(self.checkout().join("request.json"), request.to_string())?;
        let mut command = self.workflow("exec sh ci/run-job.sh request.json", run)?;
        let finished = Finished::from(command.output()?);
        self.tells_no_secret(&finished.stdout)?;
        self.tells_no_secret(&finished.stderr)?;
        Ok(finished)
    }

    /// Starts a workflow whose job runs until the file that is returned is there.
    async fn follow(&self) -> anyhow::Result<Following> {
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

    fn tells_no_secret(&self, text: &str) -> anyhow::Result<()> {
        let given = self.issuer.given();
        let mut parts = given.iter().flat_map(|token| token.split('.').skip(1));
        ensure!(
            !text.contains(REQUEST_TOKEN) && !parts.any(|part| text.contains(part)),
            "{text}"
        );
        Ok(())
    }

    /// Returns the record of the job that the script says it has submitted, once that has ended.
    async fn job_of(&self, printed: &str) -> anyhow::Result<Value> {
        let file = self.checkout().join("callboard-job");
        ensure!(!file.exists(), "{} is left: {printed}", file.display());
        let id = printed.split("callboard: job ").nth(1);
        let id = id.and_then(|told| told.split_once(" is submitted")).context("an id")?.0;
        self.client(None).ended(id).await
    }
}

/// A workflow that follows a job.
struct Following {
    child: Child,
    printed: Log,
    file: PathBuf,
}

impl Following {
    async fn prints(&self, text: &str) -> anyhow::Result<()> {
        let what = format!("{text:?} is printed");
        let waited = wait::until(&what, || self.printed.text().contains(text)).await;
        waited.with_context(|| self.printed.text())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        Ok(kill_process(pid.context("a process id")?, signal)?)
    }

    async fn ends(&mut self) -> anyhow::Result<i32> {
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
fn start(folder: &Path, issuer: &str) -> anyhow::Result<Service> {
    allow(folder, issuer, "acme/web")?;
    serve(folder)
}

/// Starts a service with the policy that is there.
fn serve(folder: &Path) -> anyhow::Result<Service> {
    let policy = folder.join("policy.yml").display().to_string();
    Service::start_with(&folder.join("data"), &folder.join("playbooks"), &["--policy", &policy])
}

/// Writes a policy with a rule for workflows of a repository.
fn allow(folder: &Path, issuer: &str, repository: &str) -> anyhow::Result<()> {
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

fn deploy(version: &str) -> Value {
    json!({"playbook": "deploy.yml", "inventory": "staging,", "extra_vars": {"version": version}})
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/ci").join(name)
}

fn yaml(name: &str) -> anyhow::Result<Value> {
    Ok(serde_saphyr::from_str(&fs::read_to_string(example(name))?)?)
}

fn is(answer: &Answer, status: u16, detail: &str) -> anyhow::Result<()> {
    let told = answer.body["detail"].as_str().unwrap_or_default();
    ensure!(answer.status == status && told.contains(detail), "{detail}: {answer:?}");
    Ok(())
}

#[tokio::test]
async fn a_token_submits_a_job_and_reads_what_is_its_own() -> anyhow::Result<()> {
    let test = "tokens::a_token_submits_a_job_and_reads_what_is_its_own";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let world = World::start(&authority, 300).await?;
    let workflow = world.client(None);
    let job = workflow.submit(&deploy("1")).await?;
    let record = workflow.ended(&job).await?;
    ensure!(
        record["status"] == "successful" && record["submitted_by"] == format!("oidc:{SUBJECT}"),
        "{record}"
    );
    // the next token of the same workflow is the same caller, and one of another branch is not
    let path = format!("/api/v1/jobs/{job}");
    ensure!(world.client(None).get(&format!("{path}/logs")).await?.status == 200);
    let branch = world.client(Some(("sub", json!("repo:acme/web:ref:refs/heads/other"))));
    is(&branch.get(&path).await?, 403, "jobs:read")?;
    is(&workflow.get("/api/v1/jobs").await?, 403, "jobs:read")?;
    let elsewhere = json!({"playbook": "deploy.yml", "inventory": "production,"});
    let refused = workflow.post("/api/v1/jobs", elsewhere.to_string()).await?;
    is(&refused, 403, "inventory=staging")
}

#[tokio::test]
async fn a_token_that_is_not_as_the_policy_says_is_refused() -> anyhow::Result<()> {
    let test = "tokens::a_token_that_is_not_as_the_policy_says_is_refused";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let world = World::start(&authority, 300).await?;
    let path = "/api/v1/jobs/01a1faf8-50a0-70a1-801c-2d3e4f506172";
    for (claim, value, detail) in [
        ("repository", json!("acme/api"), "other values of repository."),
        ("ref", json!("refs/tags/v1"), "other values of ref."),
        ("aud", json!("another"), "other values of aud."),
        ("iss", json!("https://id.example"), "no rule for the token's issuer"),
        ("exp", json!(1_700_000_000), "has expired"),
    ] {
        let answer = world.client(Some((claim, value))).get(path).await?;
        is(&answer, 401, detail)?;
        ensure!(answer.header("www-authenticate").starts_with("Bearer"), "{answer:?}");
    }
    // there is no key, and the service is open to nobody for all that
    is(&world.service.client().get(path).await?, 401, "")?;
    is(&world.client(None).get(path).await?, 404, "")
}

#[tokio::test]
async fn a_session_of_a_token_outlasts_it_and_is_the_same_caller() -> anyhow::Result<()> {
    let test = "tokens::a_session_of_a_token_outlasts_it_and_is_the_same_caller";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let world = World::start(&authority, 5 - SKEW).await?;
    let login = world.client(None);
    let page = login.begin_session().await?;
    wait::until_async("the token has expired", async || {
        Ok(login.get("/api/v1/session").await?.status == 401)
    })
    .await?;
    let told = page.get("/api/v1/session").await?.body;
    ensure!(
        told["subject"] == format!("oidc:{SUBJECT}") && told["tenant"] == "web",
        "{told}"
    );
    let job = page.submit(&deploy("1")).await?;
    let record = page.ended(&job).await?;
    ensure!(record["submitted_by"] == format!("oidc:{SUBJECT}"), "{record}");
    ensure!(
        world.client(None).job(&job).await.is_ok(),
        "a later token is the same caller"
    );
    page.delete("/api/v1/session").await?;
    wait::until_async("the session has ended", async || {
        Ok(page.get("/api/v1/session").await?.status == 401)
    })
    .await
}

#[tokio::test]
async fn a_policy_counts_from_the_start_of_the_service_on_and_sessions_last() -> anyhow::Result<()> {
    let test = "tokens::a_policy_counts_from_the_start_of_the_service_on_and_sessions_last";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let mut world = World::start(&authority, 300).await?;
    let page = world.client(None).begin_session().await?;
    allow(world.folder.path(), &world.issuer.url, "acme/other")?;
    let path = "/api/v1/session";
    ensure!(world.client(None).get(path).await?.status == 200);
    world.service.signal(Signal::TERM)?;
    world.service.wait()?;
    world.service = serve(world.folder.path())?;
    is(&world.client(None).get(path).await?, 401, "other values of repository.")?;
    let page = world.service.client().with_cookie(page.cookie());
    ensure!(page.get(path).await?.status == 200, "until it is revoked");
    Ok(())
}

#[tokio::test]
async fn an_issuer_that_flags_name_needs_no_policy() -> anyhow::Result<()> {
    let test = "tokens::an_issuer_that_flags_name_needs_no_policy";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let issuer = Issuer::start(&authority, 300).await?;
    let flags = |subject| {
        [
            "--oidc-issuer",
            &issuer.url,
            "--oidc-audience",
            "callboard",
            "--oidc-subject",
            subject,
        ]
    };
    let folder = tempfile::tempdir()?;
    let scopes = ["--oidc-scope", "jobs:run[playbook=hello.yml] jobs:read[own]"];
    let service = Service::start_in(folder.path(), &[&flags("repo:acme/web:**")[..], &scopes].concat())?;
    let workflow = service.client().showing(&issuer.token(None));
    let record = workflow.run(&json!({"playbook": "hello.yml"})).await?;
    ensure!(record["submitted_by"] == format!("oidc:{SUBJECT}"), "{record}");
    // a session ends with its token, where nobody has said that people log in by it
    let path = "/api/v1/session";
    let ends = workflow.get(path).await?.body["expires_at"].clone();
    let page = workflow.begin_session().await?;
    ensure!(ends.is_string() && page.get(path).await?.body["expires_at"] == ends);
    ensure!(
        workflow
            .post("/api/v1/jobs", r#"{"playbook": "count.yml"}"#)
            .await?
            .status
            == 403
    );
    let other = issuer.token(Some(("sub", json!("repo:acme/api:ref:refs/heads/main"))));
    is(
        &service.client().showing(&other).get("/api/v1/session").await?,
        401,
        "other values of sub.",
    )?;
    is(&service.client().get("/api/v1/session").await?, 401, "")?;
    drop(service);
    for (arguments, told) in [
        (flags("x").to_vec(), "--oidc-scope"),
        (
            [&flags("x")[..], &["--oidc-scope", "jobs:fly"]].concat(),
            "--oidc-scope \"jobs:fly\" is not a scope",
        ),
        (
            [&flags("")[..], &["--oidc-scope", "admin"]].concat(),
            "--oidc-subject must not be empty",
        ),
    ] {
        let mut command = callboard(folder.path())?;
        let finished = Finished::from(
            command
                .args(["serve", "--listen", "127.0.0.1:0"])
                .args(arguments)
                .output()?,
        );
        ensure!(
            finished.code != 0 && finished.stderr.contains(told),
            "{told}: {finished:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn while_an_issuer_cannot_be_asked_nobody_is_let_in() -> anyhow::Result<()> {
    let test = "tokens::while_an_issuer_cannot_be_asked_nobody_is_let_in";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    fs::create_dir(folder.path().join("playbooks"))?;
    let mut issuer = Issuer::start(&authority, 300).await?;
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    issuer.url = format!("https://{nobody}");
    let service = start(folder.path(), &issuer.url)?;
    let shown = service.client().showing(&issuer.token(None));
    for _ in 0..2 {
        let answer = shown.get("/api/v1/jobs").await?;
        ensure!(
            answer.status == 503 && answer.headers.contains_key("retry-after"),
            "{answer:?}"
        );
    }
    is(&service.client().get("/api/v1/jobs").await?, 401, "")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_prints_what_its_job_prints_and_ends_as_it_does() -> anyhow::Result<()> {
    let test = "tokens::a_pipeline_prints_what_its_job_prints_and_ends_as_it_does";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let world = World::start(&authority, 300).await?;
    let done = world.run(&deploy("7"), "run-1")?;
    ensure!(done.code == 0 && done.stderr.contains("is successful"), "{done:?}");
    let record = world.job_of(&done.stderr).await?;
    let id = record["job_id"].as_str().context("an id")?;
    let logs = String::from_utf8(world.client(None).logs(id).await?)?;
    ensure!(
        logs.contains("Version 7, äöü") && done.stdout.contains(&logs),
        "{done:?}"
    );
    // what the job prints is no command to GitHub
    let (first, last) = (done.stdout.lines().next(), done.stdout.lines().last());
    let resume = first.and_then(|line| line.strip_prefix("::stop-commands::"));
    ensure!(
        resume.is_some_and(|resume| last == Some(&format!("::{resume}::")) && resume.len() == 32),
        "{done:?}"
    );
    // the same run submits nothing twice, and the next attempt of it something new
    let again = world.run(&deploy("7"), "run-1")?;
    ensure!(again.code == 0 && again.stderr.contains(id), "{again:?}");
    let next = world.run(&deploy("7"), "run-2")?;
    ensure!(next.code == 0 && !next.stderr.contains(id), "{next:?}");

    let failed = world.run(&deploy("none"), "run-3")?;
    ensure!(
        failed.code == 1 && failed.stdout.contains("There is no such version."),
        "{failed:?}"
    );
    ensure!(
        failed.stderr.contains("failed (playbook_failed): ") && failed.stderr.contains("staging"),
        "{failed:?}"
    );
    let elsewhere = json!({"playbook": "deploy.yml", "inventory": "production,"});
    for (request, told) in [
        (elsewhere, "status 403. The caller may run only what"),
        (json!({"playbook": "deploy.yml", "color": "red"}), "/color: "),
    ] {
        let refused = world.run(&request, "run-4")?;
        ensure!(
            refused.code == 1 && refused.stderr.contains(told),
            "{told}: {refused:?}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_pipelines_run_jobs() -> anyhow::Result<()> {
    let test = "tokens::the_examples_of_pipelines_run_jobs";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let world = World::start(&authority, 300).await?;
    let github = yaml("github.yml")?;
    ensure!(github["permissions"]["id-token"] == "write", "{github}");
    let steps = github["jobs"]["deploy"]["steps"].as_array().context("steps")?;
    let run: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
    let mut told = String::new();
    for commands in run {
        let done = Finished::from(world.workflow(commands, "github-1-1")?.output()?);
        ensure!(done.code == 0, "{commands}: {done:?}");
        told += &done.stderr;
    }
    let record = world.job_of(&told).await?;
    ensure!(record["extra_vars"]["version"] == "0123abc", "{record}");

    let gitlab = &yaml("gitlab.yml")?["deploy"];
    ensure!(gitlab["id_tokens"]["CALLBOARD_TOKEN"]["aud"] == "callboard", "{gitlab}");
    for (part, status) in [("script", "running"), ("after_script", "canceled")] {
        let lines = gitlab[part].as_array().context("lines")?;
        let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
        // what installs programs is not to be run here
        let commands = format!("set -e\napk() {{ :; }}\n{}", lines.join("\n"));
        let done = Command::new("sh")
            .args(["-c", &commands])
            .current_dir(world.checkout())
            .env("CALLBOARD_URL", format!("http://{}/", world.service.address()?))
            .env("CALLBOARD_RUN", "gitlab-1")
            .env("CALLBOARD_TOKEN", world.issuer.token(None))
            .env("CI_COMMIT_SHA", "0123abc")
            .env("CI_JOB_STATUS", status)
            .output()?;
        let done = Finished::from(done);
        ensure!(done.code == 0, "{commands}: {done:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_is_canceled_cancels_its_job() -> anyhow::Result<()> {
    let test = "tokens::a_pipeline_that_is_canceled_cancels_its_job";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    for signal in [Signal::TERM, Signal::INT, Signal::KILL] {
        let world = World::start(&authority, 300).await?;
        let mut following = world.follow().await?;
        for token in world.issuer.given() {
            ensure!(
                processes::with_marker(&token).is_empty() && processes::with_marker(REQUEST_TOKEN).is_empty(),
                "a list of processes tells a token"
            );
        }
        following.signal(signal)?;
        let code = following.ends().await?;
        if signal == Signal::KILL {
            let mut later = world.workflow("sh ci/run-job.sh --cancel", "follow")?;
            let later = Finished::from(later.output()?);
            ensure!(later.code == 0 && later.stderr.contains("is canceled"), "{later:?}");
        } else {
            following.prints("is canceled").await?;
            ensure!(code == 1, "{code}: {}", following.printed.text());
        }
        let record = world.job_of(&following.printed.text()).await?;
        ensure!(
            record["status"] == "canceled" && record["cancel"]["by"] == format!("oidc:{SUBJECT}"),
            "{record}"
        );
        world.tells_no_secret(&following.printed.text())?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_may_run_longer_than_a_token_is_valid() -> anyhow::Result<()> {
    let test = "tokens::a_job_may_run_longer_than_a_token_is_valid";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let seconds = 3;
    let world = World::start(&authority, seconds - SKEW).await?;
    let mut following = world.follow().await?;
    let before = world.issuer.given().len();
    tokio::time::sleep(Duration::from_secs(seconds.unsigned_abs() + 1)).await;
    fs::write(&following.file, "")?;
    let code = following.ends().await?;
    following.prints("is successful").await?;
    ensure!(code == 0, "{}", following.printed.text());
    ensure!(world.issuer.given().len() > before, "the same token was shown again");
    following.prints("The file is there.").await
}

#[tokio::test]
async fn the_policies_that_the_page_on_pipelines_shows_are_valid() -> anyhow::Result<()> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ci.md"))?;
    let blocks: Vec<&str> = page.split("```yaml\n").skip(1).collect();
    let policies: Vec<&str> = blocks
        .iter()
        .filter_map(|block| block.split("```").next())
        .filter(|block| block.contains("callers:"))
        .collect();
    ensure!(policies.len() == 2, "{policies:?}");
    for policy in policies {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("policy.yml");
        fs::write(&file, policy)?;
        let service = Service::start_in(&folder.path().join("data"), &["--policy", &file.display().to_string()])?;
        is(&service.client().get("/api/v1/jobs").await?, 401, "")?;
    }
    Ok(())
}
