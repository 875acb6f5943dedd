//! Secrets in HashiCorp Vault.

use callboard_core::base::causes::causes;
use callboard_core::credential::{Credential, CredentialKind};
use serde_json::{Value, json};

use crate::proxy::Proxy;
use crate::servers::Vault;
use crate::{Deployment, in_vault, password, refusal, resolve};

fn with_token(url: &str, token: &str) -> anyhow::Result<callboard_secrets::Resolver> {
    let access = json!({"kind": "hashicorp_vault", "url": url, "token": token});
    Deployment::default().with("hashicorp-vault", &access)?.resolver()
}

#[tokio::test]
async fn a_secret_is_read_from_engines_of_both_versions_wherever_they_are_mounted() -> anyhow::Result<()> {
    let vault = Vault::new()?;
    let (first, second) = (vault.mount("first", "1").await?, vault.mount("deep/second", "2").await?);
    vault
        .ask("POST", &format!("{first}/app/db"), &json!({"password": "of-version-1"}))
        .await?;
    let data = json!({"data": {"one": "value-1", "two": "value-2", "port": 54321, "list": ["a", 1]}});
    vault
        .ask(
            "POST",
            &format!("{second}/data/app/d%20b"),
            &json!({"data": {"password": "of-a-strange-path"}}),
        )
        .await?;
    vault.ask("POST", &format!("{second}/data/app/db"), &data).await?;

    let resolver = with_token(&vault.url, &vault.root)?;
    assert_eq!(
        password(&resolver, &in_vault(&format!("{first}/app/db"), None)).await?,
        "of-version-1"
    );
    let strange = in_vault(&format!("{second}/app/d b"), None);
    assert_eq!(password(&resolver, &strange).await?, "of-a-strange-path");
    let read = |key| in_vault(&format!("/{second}/app/db/"), Some(key));
    assert_eq!(password(&resolver, &read("two")).await?, "value-2");
    assert_eq!(password(&resolver, &read("port")).await?, "54321");
    assert_eq!(password(&resolver, &read("list")).await?, r#"["a",1]"#);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_is_told_with_names_and_without_values() -> anyhow::Result<()> {
    let vault = Vault::new()?;
    let mount = vault.mount("kv", "2").await?;
    let data = json!({"data": {"user": "someone", "pass": "s3cr3t-value", "pin": "123"}});
    vault.ask("POST", &format!("{mount}/data/db"), &data).await?;
    vault.ask("POST", &format!("{mount}/data/gone"), &data).await?;
    vault.ask("DELETE", &format!("{mount}/data/gone"), &Value::Null).await?;
    let resolver = with_token(&vault.url, &vault.root)?;

    let path = format!("{mount}/db");
    let unread = |path: &str, why: &str| format!("The secret \"{path}\" in HashiCorp Vault could not be read: {why}.");
    for (path, key, why) in [
        (
            path.as_str(),
            None,
            "it has several keys, of which vault_key must name one: pass, pin, user",
        ),
        (
            path.as_str(),
            Some("other"),
            "it has no key \"other\"; it has pass, pin, user",
        ),
        (&format!("{mount}/nothing"), None, "it is not there"),
        (&format!("{mount}/gone"), None, "it is not there"),
        ("nowhere/at/all", None, "it is not there"),
    ] {
        assert_eq!(refusal(&resolver, &in_vault(path, key)).await?, unread(path, why));
    }
    let short = refusal(&resolver, &in_vault(&path, Some("pin"))).await?;
    assert_eq!(
        short,
        format!(
            "The secret \"{path}\" in HashiCorp Vault is no credential of kind password: password must have at least 4 \
             bytes: a shorter one could not be kept out of what jobs print."
        )
    );
    let key = resolve(&resolver, &in_vault(&path, Some("pass")), CredentialKind::Ssh).await?;
    let error = key.err().map(|error| format!("{error:?} {error}")).unwrap_or_default();
    assert!(
        error.contains("is no credential of kind ssh: private_key must be a private key"),
        "{error}"
    );
    assert!(!error.contains("s3cr3t"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_credential_with_several_fields_is_kept_as_a_json_object() -> anyhow::Result<()> {
    let vault = Vault::new()?;
    let mount = vault.mount("kv", "1").await?;
    let fields = json!({"token": "glpat-1234", "username": "robot", "hosts": ["git.example.com"]});
    vault
        .ask("POST", &format!("{mount}/git"), &json!({"value": fields}))
        .await?;
    let resolver = with_token(&vault.url, &vault.root)?;
    let found = resolve(&resolver, &in_vault(&format!("{mount}/git"), None), CredentialKind::Git).await??;
    let Credential::Git(git) = found else {
        anyhow::bail!("{found:?}")
    };
    assert_eq!(
        git.token.map(|token| token.expose().to_owned()).as_deref(),
        Some("glpat-1234")
    );
    assert_eq!(
        (git.username.as_deref(), git.hosts),
        (Some("robot"), vec!["git.example.com".to_owned()])
    );
    Ok(())
}

#[tokio::test]
async fn a_token_needs_no_more_than_the_secret_itself() -> anyhow::Result<()> {
    let vault = Vault::new()?;
    let (first, second) = (vault.mount("kv", "1").await?, vault.mount("kv", "2").await?);
    vault
        .ask("POST", &format!("{first}/db"), &json!({"password": "of-version-1"}))
        .await?;
    vault
        .ask(
            "POST",
            &format!("{second}/data/db"),
            &json!({"data": {"password": "of-version-2"}}),
        )
        .await?;
    let allowed = [format!("{first}/db"), format!("{second}/data/db")];
    let policy = allowed
        .map(|path| format!("path \"{path}\" {{ capabilities = [\"read\"] }}\n"))
        .concat();
    let token = vault.token(&policy).await?;
    // where even the question for the mount is not answered, as behind a gateway that knows only the API of secrets
    let gateway = Proxy::start(&vault.url, |asked, _| {
        let mounts = asked.path.starts_with("/v1/sys/");
        mounts.then(|| (403, r#"{"errors": ["permission denied"]}"#.to_owned()))
    })
    .await?;
    for url in [&vault.url, &gateway.url] {
        let resolver = with_token(url, &token)?;
        assert_eq!(
            password(&resolver, &in_vault(&format!("{first}/db"), None)).await?,
            "of-version-1"
        );
        assert_eq!(
            password(&resolver, &in_vault(&format!("{second}/db"), None)).await?,
            "of-version-2"
        );
        let other = in_vault(&format!("{second}/other"), None);
        let denied = refusal(&resolver, &other).await?;
        assert!(
            denied.ends_with("could not be read: Vault does not permit it (status 403)."),
            "{denied}"
        );
        let error = resolve(&resolver, &other, CredentialKind::Password).await?.err();
        let told = error.map(|error| causes(&error).to_string()).unwrap_or_default();
        assert!(told.contains("permission denied"), "{told}");
        assert!(!told.contains(&token), "{told}");
    }
    Ok(())
}

#[tokio::test]
async fn a_vault_that_is_busy_is_asked_three_times_and_no_more() -> anyhow::Result<()> {
    let vault = Vault::new()?;
    let mount = vault.mount("kv", "1").await?;
    vault
        .ask("POST", &format!("{mount}/db"), &json!({"password": "hunter22"}))
        .await?;
    let sealed = || Some((503, r#"{"errors": ["Vault is sealed"]}"#.to_owned()));
    let waking = Proxy::start(&vault.url, move |_, before| if before < 2 { sealed() } else { None }).await?;
    let resolver = with_token(&waking.url, &vault.root)?;
    assert_eq!(
        password(&resolver, &in_vault(&format!("{mount}/db"), None)).await?,
        "hunter22"
    );

    let asleep = Proxy::start(&vault.url, move |_, _| sealed()).await?;
    let resolver = with_token(&asleep.url, &vault.root)?;
    let refused = refusal(&resolver, &in_vault(&format!("{mount}/db"), None)).await?;
    assert!(
        refused.ends_with("Vault did not answer as it should (status 503)."),
        "{refused}"
    );
    assert_eq!(asleep.asked().len(), 3);

    let resolver = with_token("http://127.0.0.1:1", &vault.root)?;
    let refused = refusal(&resolver, &in_vault("secret/db", None)).await?;
    assert!(
        refused.ends_with("could not be read: 127.0.0.1 cannot be reached."),
        "{refused}"
    );
    Ok(())
}

#[tokio::test]
async fn a_vault_that_no_credential_leads_to_is_told_by_the_name_that_is_missing() -> anyhow::Result<()> {
    let resolver = Deployment::default()
        .with("login", &json!({"kind": "password", "password": "hunter22"}))?
        .resolver()?;
    let refused = refusal(&resolver, &in_vault("secret/db", None)).await?;
    assert!(
        refused.ends_with("the credential \"hashicorp-vault\" is not there."),
        "{refused}"
    );
    let mut other = in_vault("secret/db", None);
    other["vault_credential"] = "login".into();
    let refused = refusal(&resolver, &other).await?;
    let why = "is of kind password, but a credential of kind hashicorp_vault is needed.";
    assert!(refused.ends_with(why), "{refused}");
    Ok(())
}
