//! EC2's API, as far as the tests need it.

use std::fmt::Write as _;

use anyhow::{Context, ensure};
use axum::Router;
use axum::http::StatusCode;
use tokio::net::TcpListener;

const REFUSAL: &str = "<Response><Errors><Error><Code>AuthFailure</Code><Message>AWS was not able to validate the \
    provided access credentials</Message></Error></Errors><RequestID>1</RequestID></Response>";

/// Starts an instance with tags, in the account that the emulator makes of a key's id.
pub(super) async fn run_instance(endpoint: &str, account: &str, tags: &[(&str, &str)]) -> anyhow::Result<()> {
    let mut form = "Action=RunInstances&Version=2016-11-15&ImageId=ami-12345678&MinCount=1&MaxCount=1\
        &TagSpecification.1.ResourceType=instance"
        .to_owned();
    for (number, (key, value)) in (1..).zip(tags) {
        let tag = format!("TagSpecification.1.Tag.{number}");
        write!(form, "&{tag}.Key={key}&{tag}.Value={value}")?;
    }
    let credential = format!("Credential={account}/20260101/us-east-1/ec2/aws4_request");
    let request = callboard_tests::http::client()
        .post(endpoint)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header(
            "Authorization",
            format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=none"),
        )
        .body(form);
    let answer = request.send().await.context("EC2 is emulated by LocalStack")?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{status} {text}");
    Ok(())
}

/// Starts a server that takes no keys; returns its address.
pub(super) async fn refusing() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let refuse = || async { (StatusCode::UNAUTHORIZED, REFUSAL) };
    tokio::spawn(axum::serve(listener, Router::new().fallback(refuse)).into_future());
    Ok(format!("http://{address}"))
}
