//! Secrets Manager: what its deletions and tags make of the credential store.

use anyhow::{Context, ensure};
use callboard_aws::SecretsManagerCredentialStore;
use callboard_core::base::causes::causes;
use callboard_core::base::store_error::StoreError;
use callboard_core::credential::CredentialStore;
use callboard_testkit::aws::Resources;
use callboard_testkit::contract::credential_store::{all, password};
use callboard_testkit::contract::samples::{now, refused, tenant};
use serde_json::json;

use crate::fake::{Answer, Fake};

pub(crate) async fn make() -> anyhow::Result<(SecretsManagerCredentialStore, Resources)> {
    let resources = Resources::create().await?;
    let store = SecretsManagerCredentialStore::new(&resources.config, resources.secrets.clone());
    Ok((store, resources))
}

#[tokio::test]
async fn a_name_that_waits_for_its_deletion_is_not_there_and_cannot_be_taken() -> anyhow::Result<()> {
    let (store, resources) = make().await?;
    let tenant = tenant();
    store.create(&tenant, "a", &password("value")?, now()).await?;
    let client = aws_sdk_secretsmanager::Client::new(&resources.config);
    let id = format!("{}/{}/a", resources.secrets, tenant.as_str());
    client
        .delete_secret()
        .secret_id(&id)
        .recovery_window_in_days(7)
        .send()
        .await?;
    ensure!(matches!(store.get(&tenant, "a").await, Err(StoreError::NotFound)));
    ensure!(matches!(store.describe(&tenant, "a").await, Err(StoreError::NotFound)));
    ensure!(all(&store, &tenant).await?.is_empty());
    let error = store.create(&tenant, "a", &password("value")?, now()).await.err();
    let told = causes(&error.context("the name is taken")?).to_string();
    ensure!(told.contains(&id) && told.contains("scheduled for deletion"), "{told}");
    Ok(())
}

#[tokio::test]
async fn a_secret_that_somebody_else_made_or_changed_is_no_credential_and_is_not_quoted() -> anyhow::Result<()> {
    let (store, resources) = make().await?;
    let tenant = tenant();
    let client = aws_sdk_secretsmanager::Client::new(&resources.config);
    let id = |name: &str| format!("{}/{}/{name}", resources.secrets, tenant.as_str());
    client
        .create_secret()
        .name(id("foreign"))
        .secret_string("s3cret-text")
        .send()
        .await?;
    store.create(&tenant, "changed", &password("value")?, now()).await?;
    let put = client.put_secret_value().secret_id(id("changed"));
    put.secret_string(r#"{"kind": "s3cret-text"}"#).send().await?;
    let names: Vec<String> = all(&store, &tenant)
        .await?
        .into_iter()
        .map(|found| found.name)
        .collect();
    assert_eq!(names, ["changed"]);
    for error in [
        store.describe(&tenant, "foreign").await.err(),
        store.get(&tenant, "changed").await.err(),
    ] {
        let error = error.context("it is no credential")?;
        ensure!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
        ensure!(!format!("{error:?} {}", causes(&error)).contains("s3cret-text"));
    }
    Ok(())
}

#[tokio::test]
async fn only_a_worker_asks_for_a_value() -> anyhow::Result<()> {
    let fake = Fake::start(|_, _| Answer::Whole(200, secret().to_string())).await?;
    let store = SecretsManagerCredentialStore::new(&fake.config().await, "callboard/stack".to_owned());
    let (tenant, value) = (tenant(), password("value")?);
    store.create(&tenant, "a", &value, now()).await?;
    store.describe(&tenant, "a").await?;
    store.rotate(&tenant, "a", &value, now()).await?;
    all(&store, &tenant).await?;
    store.remove(&tenant, "a").await?;
    let requests = fake.requests();
    ensure!(
        requests.len() == 8 && requests.iter().all(|request| request.contains("secretsmanager.")),
        "{requests:?}"
    );
    ensure!(
        !requests.iter().any(|request| request.contains("getsecretvalue")),
        "{requests:?}"
    );
    Ok(())
}

#[tokio::test]
async fn what_secrets_manager_refuses_is_told_apart() -> anyhow::Result<()> {
    for (status, code, retryable) in [
        (400, "ThrottlingException", true),
        (500, "InternalServiceError", true),
        (400, "AccessDeniedException", false),
        (400, "DecryptionFailure", false),
        (400, "InvalidParameterException", false),
    ] {
        let error = json!({"__type": code, "message": "Because."}).to_string();
        let fake = Fake::start(move |_, _| Answer::Whole(status, error.clone())).await?;
        let store = SecretsManagerCredentialStore::new(&fake.config().await, "callboard/stack".to_owned());
        let (tenant, value) = (tenant(), password("value")?);
        for error in [
            store.create(&tenant, "a", &value, now()).await.err(),
            store.get(&tenant, "a").await.err(),
            store.describe(&tenant, "a").await.err(),
        ] {
            let error = error.with_context(|| format!("{code} is no error"))?;
            ensure!(
                matches!(error, StoreError::Unavailable(_) | StoreError::Rejected(_)),
                "{code}: {error:?}"
            );
            ensure!(error.is_retryable() == retryable, "{code}: {error:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_repeated_and_one_that_came_too_late_is_a_conflict() -> anyhow::Result<()> {
    let exists = json!({"__type": "ResourceExistsException", "message": "It exists."});
    let fake = Fake::start(move |_, before| match before {
        0 => Answer::Close,
        1 => Answer::Whole(200, secret().to_string()),
        _ => Answer::Whole(400, exists.to_string()),
    })
    .await?;
    let store = SecretsManagerCredentialStore::new(&fake.config().await, "callboard/stack".to_owned());
    let (tenant, value) = (tenant(), password("value")?);
    store.create(&tenant, "a", &value, now()).await?;
    refused(store.create(&tenant, "a", &value, now()).await)?;
    assert_eq!(fake.requests().len(), 3);
    Ok(())
}

/// What describes a secret, and stands for other answers as well.
fn secret() -> serde_json::Value {
    let tag = |name: &str, value: &str| json!({"Key": format!("callboard:{name}"), "Value": value});
    let date = "2026-11-21T06:00:00.000Z";
    let tags = [
        tag("kind", "password"),
        tag("created_at", date),
        tag("updated_at", date),
    ];
    json!({"Name": "callboard/stack/default/a", "Tags": tags})
}
