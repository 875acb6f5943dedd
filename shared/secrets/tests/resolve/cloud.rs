//! Keys for AWS.

use anyhow::Context;
use callboard_core::base::fields::Faults;
use callboard_core::base::id::Tenant;
use callboard_core::credential::{AwsKeys, CloudRef, SecretError, Secrets};
use callboard_secrets::{Endpoints, Resolver};
use serde_json::{Value, json};

use crate::Deployment;
use crate::proxy::Proxy;
use crate::servers::required;

const DEPLOY: &str = "arn:aws:iam::123456789012:role/deploy";
const SECOND: &str = "arn:aws:iam::123456789012:role/second";

fn cloud(value: &Value) -> anyhow::Result<CloudRef> {
    let mut faults = Faults::default();
    let cloud = CloudRef::parse(value, "/cloud", &mut faults);
    cloud.with_context(|| format!("{:?}", faults.into_inner()))
}

async fn keys(resolver: &Resolver, value: Value) -> anyhow::Result<Result<AwsKeys, SecretError>> {
    let session = "job 0197:1";
    Ok(resolver.cloud(&Tenant::default(), &cloud(&value)?, session).await)
}

async fn deployment(policy: Value) -> anyhow::Result<(Resolver, Proxy)> {
    let proxy = Proxy::start(&required("AWS_ENDPOINT_URL")?, |_, _| None).await?;
    let deployment = Deployment {
        policy,
        endpoints: Endpoints::at(proxy.url.clone()),
        ..Deployment::default()
    };
    let keys = json!({"kind": "cloud", "access_key_id": "AKIAEXAMPLE", "secret_access_key": "hunter22"});
    let mut with_role = keys.clone();
    with_role["role_arn"] = DEPLOY.into();
    with_role["external_id"] = "a & b".into();
    with_role["region"] = "eu-west-1".into();
    let resolver = deployment
        .with("keys", &keys)?
        .with("keys-and-role", &with_role)?
        .with(
            "role",
            &json!({"kind": "cloud", "role_arn": DEPLOY, "region": "eu-west-1"}),
        )?
        .with("login", &json!({"kind": "password", "password": "hunter22"}))?
        .resolver()?;
    Ok((resolver, proxy))
}

/// Returns the forms of the calls so far, each with the id of the key that signed it.
fn calls(proxy: &Proxy) -> Vec<String> {
    let call = |asked: crate::proxy::Asked| {
        let signature = asked
            .headers
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let scope = signature.split("Credential=").nth(1).unwrap_or_default();
        let scope: Vec<_> = scope.split('/').collect();
        let key = scope.first().map_or("", |key| key.get(..4).unwrap_or(key));
        let region = scope.get(2).copied().unwrap_or_default();
        format!("{key} {region} {}", String::from_utf8_lossy(&asked.body))
    };
    proxy.asked().into_iter().map(call).collect()
}

fn assume(role: &str, rest: &str) -> String {
    let role = role.replace(':', "%3A").replace('/', "%2F");
    let action = "Action=AssumeRole&Version=2011-06-15&DurationSeconds=3600";
    format!("{action}&RoleArn={role}&RoleSessionName=job-0197-1{rest}")
}

#[tokio::test]
async fn keys_without_a_role_are_given_as_they_are() -> anyhow::Result<()> {
    let (resolver, proxy) = deployment(Value::Null).await?;
    let found = keys(&resolver, json!("keys")).await??;
    assert_eq!(
        (found.access_key_id.as_str(), found.secret_access_key.expose()),
        ("AKIAEXAMPLE", "hunter22")
    );
    assert_eq!(
        (found.session_token.is_some(), found.region.as_deref()),
        (false, Some("us-east-1"))
    );
    assert_eq!(calls(&proxy).len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_role_is_assumed_with_the_keys_of_its_credential_and_then_the_one_of_the_request() -> anyhow::Result<()> {
    let (resolver, proxy) = deployment(Value::Null).await?;
    let found = keys(&resolver, json!("keys-and-role")).await??;
    assert!(
        found.access_key_id.starts_with("ASIA") || found.access_key_id.starts_with("LSIA"),
        "{found:?}"
    );
    assert_eq!(
        (found.session_token.is_some(), found.region.as_deref()),
        (true, Some("eu-west-1"))
    );
    let first = format!("AKIA eu-west-1 {}", assume(DEPLOY, "&ExternalId=a+%26+b"));
    assert_eq!(calls(&proxy), std::slice::from_ref(&first));

    keys(
        &resolver,
        json!({"type": "aws", "credential": "keys-and-role", "role_arn": SECOND}),
    )
    .await??;
    let asked = calls(&proxy);
    assert_eq!(asked.get(1), Some(&first));
    let second = asked.get(2).context("the second role was not assumed")?;
    assert!(
        second.ends_with(&format!(" eu-west-1 {}", assume(SECOND, ""))),
        "{second}"
    );
    assert!(!second.starts_with("AKIA"), "{second}");
    Ok(())
}

#[tokio::test]
async fn the_worker_assumes_only_roles_that_the_policy_lists() -> anyhow::Result<()> {
    let (resolver, proxy) = deployment(json!({"roles": [DEPLOY]})).await?;
    keys(&resolver, json!("role")).await??;
    keys(&resolver, json!({"type": "aws", "role_arn": DEPLOY})).await??;
    let own = |region: &str| format!("test {region} {}", assume(DEPLOY, ""));
    assert_eq!(calls(&proxy), [own("eu-west-1"), own("us-east-1")]);

    let refused = keys(&resolver, json!({"type": "aws", "role_arn": SECOND})).await?.err();
    let why = format!(
        "The role {SECOND:?} could not be assumed: the worker's own identity is not allowed for it; an operator allows it by \
         adding {SECOND:?} to \"roles\" of the policy (--policy, CALLBOARD_POLICY)."
    );
    assert_eq!(refused.map(|error| error.message), Some(why));
    let (resolver, proxy) = deployment(Value::Null).await?;
    assert!(keys(&resolver, json!("role")).await?.is_err());
    assert_eq!(calls(&proxy).len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_credential_that_is_none_for_a_cloud_is_refused() -> anyhow::Result<()> {
    let (resolver, _proxy) = deployment(Value::Null).await?;
    for (value, why) in [
        (
            json!("login"),
            "The credential \"login\" is of kind password, but a credential of kind cloud is needed.",
        ),
        (json!("other"), "The credential \"other\" is not there."),
        (
            json!({"type": "aws", "credential": "other"}),
            "The credential \"other\" is not there.",
        ),
    ] {
        let refused = keys(&resolver, value).await?.err().map(|error| error.message);
        assert_eq!(refused.as_deref(), Some(why));
    }
    Ok(())
}
