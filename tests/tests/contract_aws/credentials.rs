//! Secrets Manager: what its deletions and tags make of the credential store.

use anyhow::{Context, ensure};
use callboard_aws::SecretsManagerCredentialStore;
use callboard_core::causes::causes;
use callboard_core::ports::{CredentialStore, StoreError};
use callboard_tests::aws::Resources;
use callboard_tests::contract::credential_store::password;
use callboard_tests::contract::samples::{now, tenant};

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
    ensure!(store.list(&tenant).await?.is_empty());
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
    let names: Vec<String> = store.list(&tenant).await?.into_iter().map(|found| found.name).collect();
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
