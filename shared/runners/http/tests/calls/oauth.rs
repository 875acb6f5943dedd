//! Tokens of a token endpoint: when they are fetched, and what of them is kept.

use std::sync::Arc;

use anyhow::ensure;
use callboard_core::base::secret::Secret;
use callboard_core::credential::Credential;
use callboard_runner_http::HttpRunner;
use callboard_testkit::calls::{Given, JSON, Keeper, Run, Server, job, never, run};
use serde_json::json;
use tokio::net::TcpListener;

use crate::world::{PRIVATE, logs, registry};

const SECRET: &str = "the client's secret: ä&=+";

fn runner() -> HttpRunner {
    HttpRunner::new(Arc::new(Keeper::of(Credential::Password {
        password: Secret::new(SECRET),
    })))
}

async fn call(runner: &HttpRunner, address: &str, endpoint: &str, more: &str) -> anyhow::Result<Run> {
    let auth = format!(
        "type: oauth2_client_credentials, credential: c, client_id: 'a client', token_url: 'http://{endpoint}/token', {more}"
    );
    let config = format!("base_url: 'http://{address}/v1', auth: {{{auth}}}");
    run(
        runner,
        job(&registry(PRIVATE, &config, "timeout: 30"), &json!({}))?,
        logs,
        never(),
    )
    .await
}

#[tokio::test]
async fn calls_at_the_same_time_share_a_token_and_nothing_of_it_is_kept() -> anyhow::Result<()> {
    let token = r#"{"access_token": "token-0001", "token_type": "Bearer", "expires_in": 3600}"#;
    let (endpoint, at) = Server::start(&[(200, JSON, token)]).await?;
    let (server, address) = Server::start(&[(200, &[], "you showed token-0001")]).await?;
    let runner = runner();
    let scope = "scope: 'a b', audience: api";
    let (one, other) = tokio::try_join!(call(&runner, &address, &at, scope), call(&runner, &address, &at, scope))?;
    ensure!(endpoint.asked() == 1 && server.asked() == 2, "{:?}", endpoint.seen());
    for request in server.requests() {
        ensure!(request.header("authorization") == "Bearer token-0001", "{request:?}");
    }
    for run in [one, other] {
        ensure!(
            !run.kept().contains("token-0001") && run.stdout.contains("********"),
            "{}",
            run.kept()
        );
    }
    let asked = &endpoint.requests()[0];
    ensure!(
        asked.body == "grant_type=client_credentials&scope=a+b&audience=api",
        "{asked:?}"
    );
    // `a+client:the+client%27s+secret%3A+%C3%A4%26%3D%2B`
    let pair = "Basic YStjbGllbnQ6dGhlK2NsaWVudCUyN3Mrc2VjcmV0JTNBKyVDMyVBNCUyNiUzRCUyQg==";
    ensure!(asked.header("authorization") == pair, "{asked:?}");
    // another scope is another token
    call(&runner, &address, &at, "scope: c, client_auth: body").await?;
    let asked = &endpoint.requests()[1];
    let body = "grant_type=client_credentials&scope=c&client_id=a+client&client_secret=the+client%27s+secret%3A+%C3%A4%26%3D%2B";
    ensure!(
        asked.body == body && asked.header("authorization").is_empty(),
        "{asked:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_kept_token_that_is_refused_is_replaced_once() -> anyhow::Result<()> {
    let token = |number: u32| json!({"access_token": format!("token-000{number}"), "expires_in": "3600"}).to_string();
    let tokens = [token(1), token(2), token(3)];
    let answers: Vec<Given<'_>> = tokens.iter().map(|token| (200, JSON, token.as_str())).collect();
    let (endpoint, at) = Server::start(&answers).await?;
    let (refused, good): (Given<'_>, Given<'_>) = ((401, &[], "no"), (200, &[], "good, token-0002"));
    let (server, address) = Server::start(&[good, refused, good, refused]).await?;
    let runner = runner();
    let first = call(&runner, &address, &at, "").await?;
    let second = call(&runner, &address, &at, "").await?;
    ensure!(first.result()?["status_code"] == 200 && second.result()?["status_code"] == 200);
    let shown: Vec<String> = server
        .requests()
        .iter()
        .map(|request| request.header("authorization").to_owned())
        .collect();
    ensure!(
        shown == ["Bearer token-0001", "Bearer token-0001", "Bearer token-0002"],
        "{shown:?}"
    );
    ensure!(!second.kept().contains("token-0002"), "{}", second.kept());
    // the service refuses whatever it is shown
    let third = call(&runner, &address, &at, "").await?.result()?;
    ensure!(
        third["reason"] == "http_status" && third["status_code"] == 401,
        "{third}"
    );
    ensure!(
        endpoint.asked() == 3 && server.asked() == 5,
        "{} {}",
        endpoint.asked(),
        server.asked()
    );
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_gives_no_token_is_named_without_what_it_says() -> anyhow::Result<()> {
    let told = json!({"error": "invalid_client", "error_description": format!("not {SECRET}")}).to_string();
    let mac = json!({"access_token": "token-0001", "token_type": "mac"}).to_string();
    let (server, address) = Server::start(&[(200, JSON, "{}")]).await?;
    for (answer, expected) in [
        (
            (401, JSON, told.as_str()),
            "/token: it answered with status 401 (invalid_client).",
        ),
        (
            (500, JSON, r#"{"error": "the client's secret"}"#),
            "/token: it answered with status 500.",
        ),
        ((200, JSON, mac.as_str()), "/token: its answer holds no bearer token."),
        (
            (200, JSON, r#"{"access_token": "a\nb c d"}"#),
            "/token: its answer holds no bearer token.",
        ),
    ] {
        let (_endpoint, at) = Server::start(&[answer]).await?;
        let run = call(&runner(), &address, &at, "").await?;
        let result = run.result()?;
        ensure!(result["reason"] == "credential_unavailable", "{result}");
        ensure!(
            result["error"].as_str().is_some_and(|error| error.ends_with(expected)),
            "{result}"
        );
        ensure!(!run.kept().contains("client's secret"), "{}", run.kept());
    }
    ensure!(server.asked() == 0, "the service was called without a token");
    Ok(())
}

#[tokio::test]
async fn an_endpoint_at_a_private_address_is_not_asked_unless_the_network_is_private() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let at = listener.local_addr()?;
    let auth = format!("type: oauth2_client_credentials, credential: c, client_id: i, token_url: 'https://{at}/token'");
    let config = format!("base_url: 'https://api.example.com', auth: {{{auth}}}");
    let request = job(&registry("type: public", &config, "timeout: 30"), &json!({}))?;
    let result = run(&runner(), request, logs, never()).await?.result()?;
    ensure!(
        result["error"]
            .as_str()
            .is_some_and(|error| error.contains("not public")),
        "{result}"
    );
    let listener = listener.into_std()?;
    ensure!(listener.accept().is_err(), "it was connected to");
    Ok(())
}
