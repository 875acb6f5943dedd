//! Tokens of OpenID Connect, of an issuer of the tests' own.

use std::fs;

use anyhow::ensure;
use callboard_testkit::calls::in_a_process_that_trusts;
use callboard_tests::issuer::{Issuer, SKEW, SUBJECT};
use callboard_tests::{Finished, Service, callboard, wait};
use rustix::process::Signal;
use serde_json::json;

use crate::workflow::{World, allow, deploy, is, serve, start};

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
