//! Secrets that AWS keeps, named in the request: Secrets Manager and Parameter Store of the emulator.

use anyhow::{Context, ensure};
use callboard_tests::aws::endpoints;
use callboard_tests::{Played, Site};
use serde_json::{Value, json};

const REGION: &str = "us-east-1";
const ACCOUNT: &str = "444444444444";
const HASH: &str = "- hosts: all
  gather_facts: false
  tasks: [{debug: {msg: \"{{ lookup('file', lookup('env', 'HOME') ~ '/../k/become') | hash('sha256') }}\"}}]
";
const VALUE: &str = "kept-by-aws";
const VALUE_HASH: &str = "ba73af2e251e767a57138cea851f0a88140d4a311d686d7e89fc6e995e242243";

/// Calls one of AWS's services that speak JSON, in the account that the emulator makes of a key's id.
async fn call(account: &str, service: &str, target: &str, body: &Value) -> anyhow::Result<()> {
    let credential = format!("Credential={account}/20260101/{REGION}/{service}/aws4_request");
    let request = callboard_tests::http::client()
        .post(endpoints::url()?)
        .header("Content-Type", "application/x-amz-json-1.1")
        .header("X-Amz-Target", target)
        .header(
            "Authorization",
            format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=none"),
        )
        .body(body.to_string());
    let answer = request.send().await.context("AWS is emulated by LocalStack")?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{target}: {status} {text}");
    Ok(())
}

async fn keep(account: &str, name: &str, value: &str) -> anyhow::Result<()> {
    let secret =
        json!({"Name": name, "SecretString": value, "ClientRequestToken": "callboard-tests-callboard-tests-1"});
    call(account, "secretsmanager", "secretsmanager.CreateSecret", &secret).await?;
    let parameter = json!({"Name": format!("/{name}"), "Value": value, "Type": "SecureString"});
    call(account, "ssm", "AmazonSSM.PutParameter", &parameter).await
}

async fn play(site: &Site, reference: &Value) -> anyhow::Result<Played> {
    let mut request = crate::inline(HASH);
    request["credentials"] = json!({"become_password": reference});
    site.play(&request).await
}

#[tokio::test]
async fn secrets_that_aws_keeps_are_read_with_a_credential_or_as_the_policy_allows() -> anyhow::Result<()> {
    let name = format!("callboard-tests-{}", std::process::id());
    let own = std::env::var("AWS_ACCESS_KEY_ID").context("the emulators have keys")?;
    keep(ACCOUNT, &name, VALUE).await?;
    keep(&own, &format!("{name}-own"), &json!({"password": VALUE}).to_string()).await?;
    let allowed = json!([format!("aws_secretsmanager:{name}-*"), format!("aws_ssm:/{name}-*")]);
    let site = Site::start(&[], |_servers| Ok(json!({"secrets": allowed})))?;
    let keys =
        json!({"kind": "cloud", "access_key_id": ACCOUNT, "secret_access_key": "key-of-the-owner", "region": REGION});
    site.store("owner", &keys).await?;
    for reference in [
        json!({"type": "aws_secretsmanager", "secret_id": name, "cloud_credential": "owner"}),
        json!({"type": "aws_ssm", "name": format!("/{name}"), "cloud_credential": "owner"}),
        json!({"type": "aws_secretsmanager", "secret_id": format!("{name}-own"), "key": "password", "region": REGION}),
        json!({"type": "aws_secretsmanager", "secret_id": format!("{name}-own")}),
        json!({"type": "aws_ssm", "name": format!("/{name}-own")}),
    ] {
        let played = play(&site, &reference).await?;
        ensure!(
            played.messages() == [VALUE_HASH],
            "{reference}: {} {}",
            played.job,
            played.log
        );
    }
    for (reference, words) in [
        (
            json!({"type": "aws_secretsmanager", "secret_id": "gone", "cloud_credential": "owner"}),
            "\"gone\"",
        ),
        (
            json!({"type": "aws_ssm", "name": "/gone", "cloud_credential": "owner"}),
            "\"/gone\"",
        ),
    ] {
        play(&site, &reference)
            .await?
            .failed("credential_unavailable", &[words, "AWS"])?;
    }
    let mut request = crate::inline(HASH);
    request["credentials"] = json!({"become_password": {"type": "aws_ssm", "name": format!("/{name}")}});
    let faults = site.refused(&request).await?;
    ensure!(faults.to_string().contains("\\\"secrets\\\" of the policy"), "{faults}");
    Ok(())
}
