//! Credentials that Callboard keeps.

use callboard_core::base::causes::causes;
use callboard_core::base::id::Tenant;
use callboard_core::credential::{CredentialKind, Secrets};
use serde_json::json;

use crate::{Deployment, password, reference, refusal};

#[tokio::test]
async fn a_stored_credential_is_given_to_its_tenant_for_what_it_is_made_for() -> anyhow::Result<()> {
    let resolver = Deployment::default()
        .with("login", &json!({"kind": "password", "password": "hunter22"}))?
        .with("forge", &json!({"kind": "git", "token": "hunter22"}))?
        .resolver()?;
    assert_eq!(password(&resolver, &json!("login")).await?, "hunter22");
    assert_eq!(
        refusal(&resolver, &json!("other")).await?,
        r#"The credential "other" is not there."#
    );
    let sentence = r#"The credential "forge" is of kind git, but a credential of kind password is needed."#;
    assert_eq!(refusal(&resolver, &json!("forge")).await?, sentence);

    let (tenant, login) = (Tenant::from("stranger".to_owned()), reference(&json!("login"))?);
    let error = resolver
        .resolve(&tenant, &login, &[CredentialKind::Password])
        .await
        .err();
    assert_eq!(
        error.map(|error| error.message).as_deref(),
        Some(r#"The credential "login" is not there."#)
    );
    Ok(())
}

#[tokio::test]
async fn a_store_that_fails_is_told_with_its_cause() -> anyhow::Result<()> {
    let resolver = Deployment::default().resolver()?;
    let unreadable = reference(&json!("unreadable"))?;
    let found = resolver
        .resolve(&Tenant::default(), &unreadable, &[CredentialKind::Ssh])
        .await;
    let told = found.err().map(|error| causes(&error).to_string());
    assert_eq!(
        told.as_deref(),
        Some(r#"The credential "unreadable" could not be read.: the store is unavailable: the disk is gone"#)
    );
    Ok(())
}
