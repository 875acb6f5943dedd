//! Tokens of an issuer that the stack's parameters name, and sessions that are made of them.

use anyhow::{Context, ensure};
use callboard_testkit::calls::in_a_process_that_trusts;
use callboard_tests::aws::{Stack, StackSettings};
use callboard_tests::issuer::{Issuer, SUBJECT};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_issuer_that_the_parameters_name_becomes_a_session() -> anyhow::Result<()> {
    let test = "tokens::a_token_of_the_issuer_that_the_parameters_name_becomes_a_session";
    let Some(authority) = in_a_process_that_trusts(test)? else {
        return Ok(());
    };
    let issuer = Issuer::start(&authority, 300).await?;
    let mut settings = StackSettings::default();
    let trusted = std::env::var("SSL_CERT_FILE").context("what this process trusts")?;
    for (name, value) in [
        ("SSL_CERT_FILE", trusted.as_str()),
        ("CALLBOARD_AUTHORIZATION", "CALLBOARD"),
        ("CALLBOARD_OIDC_ISSUER", &issuer.url),
        ("CALLBOARD_OIDC_AUDIENCE", "callboard"),
        ("CALLBOARD_OIDC_SUBJECT", "repo:acme/web:**"),
        ("CALLBOARD_OIDC_SCOPES", "jobs:run[playbook=hello.yml] jobs:read[own]"),
    ] {
        settings.set(name, value);
    }
    let stack = Stack::start(&settings)?;
    let page = stack.client().showing(&issuer.token(None)).begin_session().await?;
    ensure!(
        page.cookie().starts_with("__Host-callboard="),
        "API Gateway speaks HTTPS"
    );
    let record = page.run(&json!({"playbook": "hello.yml"})).await?;
    ensure!(record["submitted_by"] == format!("oidc:{SUBJECT}"), "{record}");
    let other = issuer.token(Some(("sub", json!("repo:acme/api:ref:refs/heads/main"))));
    let refused = stack.client().showing(&other).get("/api/v1/session").await?;
    ensure!(refused.status == 401, "{refused:?}");
    Ok(())
}
