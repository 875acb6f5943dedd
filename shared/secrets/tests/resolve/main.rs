//! Secrets, from their references to what they stand for: with a real server of Vault's API, and emulated AWS.

mod cloud;
mod faults;
mod keepers;
mod login;
mod proxy;
mod servers;
mod store;
mod stored;
mod vault;

use std::sync::Arc;

use anyhow::{Context, bail};
use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::id::Tenant;
use callboard_core::credential::{Credential, CredentialKind, CredentialRef, SecretError, Secrets};
use callboard_core::policy::Policy;
use callboard_secrets::{Endpoints, Environment, Resolver, Settings};
use serde_json::{Value, json};

use crate::store::Store;

/// What a deployment has.
struct Deployment {
    policy: Value,
    endpoints: Endpoints,
    store: Store,
}

impl Default for Deployment {
    fn default() -> Self {
        Self {
            policy: Value::Null,
            endpoints: Endpoints::from_environment(),
            store: Store::default(),
        }
    }
}

impl Deployment {
    /// Adds a stored credential.
    fn with(mut self, name: &str, credential: &Value) -> anyhow::Result<Self> {
        let mut faults = Faults::default();
        let parsed = Credential::parse(credential, &mut faults);
        match (parsed, faults.into_inner()) {
            (Some(credential), faults) if faults.is_empty() => self.store.add(name, credential),
            (_, faults) => bail!("{faults:?}"),
        }
        Ok(self)
    }

    fn resolver(self) -> anyhow::Result<Resolver> {
        let none = serde_json::json!({});
        let policy = if self.policy.is_null() { &none } else { &self.policy };
        let mut faults = Faults::default();
        let mut fields = Fields::of(policy, "", &mut faults).context("an object")?;
        let policy = Policy::read(&mut fields, &mut faults);
        let policy = faults.or(policy).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
        let settings = Settings {
            own_prefix: Some("callboard/".to_owned()),
            endpoints: self.endpoints,
        };
        let (store, own) = (Arc::new(self.store), Arc::new(Environment));
        Ok(Resolver::new(store, Arc::new(policy), own, settings)?)
    }
}

fn reference(value: &Value) -> anyhow::Result<CredentialRef> {
    let mut faults = Faults::default();
    let found = CredentialRef::parse(value, "", &mut faults);
    found.ok_or_else(|| anyhow::anyhow!("{:?}", faults.into_inner()))
}

async fn resolve(
    resolver: &Resolver,
    value: &Value,
    kind: CredentialKind,
) -> anyhow::Result<Result<Credential, SecretError>> {
    Ok(resolver.resolve(&Tenant::default(), &reference(value)?, &[kind]).await)
}

/// Resolves a password and returns it.
async fn password(resolver: &Resolver, value: &Value) -> anyhow::Result<String> {
    match resolve(resolver, value, CredentialKind::Password).await?? {
        Credential::Password { password } => Ok(password.expose().to_owned()),
        other => bail!("{other:?}"),
    }
}

/// Returns why a password cannot be had.
async fn refusal(resolver: &Resolver, value: &Value) -> anyhow::Result<String> {
    match resolve(resolver, value, CredentialKind::Password).await? {
        Ok(found) => bail!("{found:?}"),
        Err(error) => Ok(error.message),
    }
}

fn in_vault(path: &str, key: Option<&str>) -> Value {
    let mut value = json!({"type": "hashicorp_vault", "vault_path": path});
    if let Some(key) = key {
        value["vault_key"] = key.into();
    }
    value
}
