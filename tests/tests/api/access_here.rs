//! Who asks, of a service on one machine.

use anyhow::{Context, ensure};
use callboard_tests::program::{Finished, callboard};
use callboard_tests::{Client, Service, playbooks, wait};
use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::access::{ADMIN, is};

#[tokio::test]
async fn without_a_key_a_service_listens_on_a_loopback_address_only() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let mut command = callboard(data.path())?;
    command
        .args(["serve", "--listen", "0.0.0.0:0", "--playbooks"])
        .arg(playbooks());
    let refused = Finished::from(command.output()?);
    ensure!(refused.code == 1, "{refused:?}");
    for told in ["no API key", "callboard keys create", "callboard serve --listen"] {
        ensure!(refused.stderr.contains(told), "{told}: {refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn as_soon_as_there_is_a_key_it_is_asked_for() -> anyhow::Result<()> {
    let (service, data) = crate::start(&[])?;
    let client = service.client();
    ensure!(client.get("/api/v1/jobs").await?.status == 200);
    let made = callboard(data.path())?
        .args(["keys", "create", "--name", "admin", "--scope", "admin"])
        .output()?;
    let made = Finished::from(made);
    ensure!(made.code == 0 && made.stdout.lines().count() == 1, "{made:?}");
    let key = made.stdout.trim();
    ensure!(!made.stderr.contains(key), "it is printed once");
    wait::until_async("a key is asked for", async || {
        Ok(client.get("/api/v1/jobs").await?.status == 401)
    })
    .await?;
    ensure!(client.showing(key).get("/api/v1/jobs").await?.status == 200);
    let listed = Finished::from(callboard(data.path())?.args(["keys", "list"]).output()?);
    ensure!(
        listed.stdout.contains(r#""name":"admin""#) && !listed.stdout.contains(key),
        "{listed:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_key_is_in_no_log_and_on_no_disk() -> anyhow::Result<()> {
    let (service, data, key) = crate::start_with_key().await?;
    let client = service.client().showing(&key);
    let job = client.submit(&json!({"playbook": "hello.yml"})).await?;
    client.ended(&job).await?;
    // with another last character, it is wrong
    let wrong = format!(
        "{}{}",
        &key[..key.len() - 1],
        if key.ends_with('a') { 'b' } else { 'a' }
    );
    ensure!(client.showing(&wrong).get("/api/v1/jobs").await?.status == 401);
    let secret = key.get(17..49).context("the secret's part")?;
    ensure!(!service.log().contains(secret), "the log has it");
    let found = callboard_tests::data::files_with(data.path(), secret.as_bytes())?;
    ensure!(found.is_empty(), "{found:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_no_key_is_refused_and_who_guesses_is_turned_away() -> anyhow::Result<()> {
    let (service, _data, key) = crate::start_with_key().await?;
    let client = service.client();
    for shown in [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        &format!("bearer\t{key}"),
        &format!("Token {key}"),
        &key,
    ] {
        let request = client.request(Method::GET, "/api/v1/jobs").header(AUTHORIZATION, shown);
        let answer = client.send(request).await?;
        ensure!(answer.status == 401, "{shown:?}: {answer:?}");
    }
    let twice = client
        .showing(&key)
        .request(Method::GET, "/api/v1/jobs")
        .header(AUTHORIZATION, "Bearer x");
    ensure!(client.send(twice).await?.status == 401);
    let lower = client
        .request(Method::GET, "/api/v1/jobs")
        .header(AUTHORIZATION, format!("bearer {key}"));
    ensure!(client.send(lower).await?.status == 200, "schemes have no case");
    let guesses = client.showing("a-guess");
    wait::until_async("guesses are turned away", async || {
        let answer = guesses.get("/api/v1/jobs").await?;
        Ok(answer.status == 429 && answer.header("retry-after") == "5")
    })
    .await?;
    ensure!(
        client.showing(&key).get("/api/v1/jobs").await?.status == 200,
        "who has a key is not"
    );
    ensure!(serde_json::from_str::<Value>(ADMIN)?.is_object());
    Ok(())
}

#[tokio::test]
async fn a_tenant_with_many_jobs_delays_one_of_another_by_no_more_than_those_that_run() -> anyhow::Result<()> {
    let (service, folder, operator) = crate::start_with_policy(&json!({})).await?;
    let operator = service.client().showing(&operator);
    let tenant = async |name: &str| {
        let body = json!({"name": name, "scopes": ["admin"], "tenant": name});
        operator.make_key(&body).await
    };
    let (many, few) = (tenant("many").await?, tenant("few").await?);
    let file = folder.path().join("go");
    let waiting = json!({"playbook": "wait_for_file.yml", "extra_vars": {"file": file}, "inventory": "localhost,"});
    let mut jobs = Vec::new();
    for _ in 0..30 {
        jobs.push(many.submit(&waiting).await?);
    }
    let single = few.submit(&json!({"playbook": "hello.yml"})).await?;
    std::fs::write(&file, "")?;
    let single = few.ended(&single).await?;
    let (submitted, started) = (single["created_at"].as_str(), single["started_at"].as_str());
    let mut before = 0;
    for job in &jobs {
        let job = many.ended(job).await?;
        let at = job["started_at"].as_str();
        before += usize::from(at > submitted && at < started);
    }
    // each of the two workers may have taken one more whose turn it was
    ensure!(
        before <= 2,
        "{before} of {} jobs of another tenant went first",
        jobs.len()
    );
    Ok(())
}

#[tokio::test]
async fn a_proxy_that_is_trusted_tells_that_a_cookie_is_for_https_alone() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let made = callboard(data.path())?
        .args(["keys", "create", "--name", "admin", "--scope", "admin"])
        .output()?;
    let key = Finished::from(made).stdout.trim().to_owned();
    for (arguments, secure) in [(&["--trusted-proxy", "127.0.0.1"][..], true), (&[], false)] {
        let service = Service::start_in(data.path(), arguments)?;
        let client = service.client();
        let forwarded = |client: &Client, method: Method| {
            let request = client.request(method, "/api/v1/session");
            request
                .header("x-forwarded-proto", "https")
                .header("x-forwarded-for", "192.0.2.7")
        };
        let begun = client.send(forwarded(&client.showing(&key), Method::POST)).await?;
        let set = begun.header("set-cookie");
        ensure!(
            set.starts_with("__Host-callboard=") == secure && set.ends_with("; Secure") == secure,
            "{set}"
        );
        let page = client.with_cookie(begun.cookie().context("a cookie")?);
        ensure!(page.send(forwarded(&page, Method::GET)).await?.status == 200);
        // what was given by HTTPS is not taken by HTTP
        ensure!((page.get("/api/v1/session").await?.status == 401) == secure);
    }
    Ok(())
}

#[tokio::test]
async fn where_nobody_is_asked_everybody_is_told_so_and_there_are_no_sessions() -> anyhow::Result<()> {
    let (service, _data) = crate::start(&[])?;
    let client = service.client();
    let told = client.get("/api/v1/session").await?.body;
    let expected = json!({"subject": "ip:127.0.0.1", "tenant": "default", "scopes": ["admin"], "expires_at": null});
    ensure!(told == expected, "{told}");
    for answer in [
        client.post("/api/v1/session", "").await?,
        client.delete("/api/v1/session").await?,
    ] {
        ensure!(is(&answer, 404, "no-session"), "{answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_revoked_or_ended_here_is_refused_at_once() -> anyhow::Result<()> {
    let (service, _data, admin) = crate::start_with_key().await?;
    let admin = service.client().showing(&admin);
    let made = admin
        .post("/api/v1/keys", r#"{"name": "a", "scopes": ["jobs:read"]}"#)
        .await?;
    let key = service.client().showing(made.body["key"].as_str().context("a key")?);
    let (jobs, session) = ("/api/v1/jobs", "/api/v1/session");
    let page = key.begin_session().await?;
    ensure!(page.get(jobs).await?.status == 200);
    ensure!(page.delete(session).await?.status == 204);
    ensure!(page.get(jobs).await?.status == 401);
    ensure!(key.get(jobs).await?.status == 200);
    let path = format!("/api/v1/keys/{}", made.body["id"].as_str().unwrap_or_default());
    ensure!(admin.delete(&path).await?.status == 200);
    ensure!(key.get(jobs).await?.status == 401);
    Ok(())
}

#[tokio::test]
async fn what_a_tenant_uses_of_its_quotas_is_shown_for_a_data_folder() -> anyhow::Result<()> {
    let (service, data) = crate::start(&[])?;
    service.client().run(&json!({"playbook": "hello.yml"})).await?;
    let show = |policy: &str, tenant: &str| {
        let mut command = callboard(data.path())?;
        command
            .env("CALLBOARD_POLICY", policy)
            .args(["quotas", "--tenant", tenant]);
        anyhow::Ok(Finished::from(command.output()?))
    };
    let policy = r#"{"quotas": {"default": {"running": 2, "submissions_per_minute": 5}}}"#;
    let shown = show(policy, "default")?;
    let used: Value = serde_json::from_str(&shown.stdout)?;
    ensure!(
        used["running"] == json!({"limit": 2, "used": 0, "remaining": 2}),
        "{used}"
    );
    ensure!(used["submissions_per_minute"]["limit"] == 5, "{used}");
    ensure!(
        used["waiting"]["limit"].is_null() && shown.stderr.is_empty(),
        "{shown:?}"
    );
    let unlimited = show(policy, "web")?;
    ensure!(unlimited.stderr.contains("--policy"), "{unlimited:?}");
    Ok(())
}
