//! The pipelines of `examples/ci`, which run jobs by their tokens.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use callboard_testkit::calls::in_a_process_that_trusts;
use callboard_tests::issuer::{REQUEST_TOKEN, SKEW, SUBJECT};
use callboard_tests::{Finished, Service, processes};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::workflow::{World, deploy, example, is};

fn yaml(name: &str) -> anyhow::Result<Value> {
    Ok(serde_saphyr::from_str(&fs::read_to_string(example(name))?)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_prints_what_its_job_prints_and_ends_as_it_does() -> anyhow::Result<()> {
    let test = "pipelines::a_pipeline_prints_what_its_job_prints_and_ends_as_it_does";
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
    let test = "pipelines::the_examples_of_pipelines_run_jobs";
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
    let test = "pipelines::a_pipeline_that_is_canceled_cancels_its_job";
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
    let test = "pipelines::a_job_may_run_longer_than_a_token_is_valid";
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
