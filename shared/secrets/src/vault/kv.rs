//! Reads from KV engines, versions 1 and 2.

use serde_json::{Map, Value};

use super::api::{Answer, Vault};
use crate::fault::Fault;

const UNEXPECTED: &str = "Vault did not answer as it should";

type Values = Map<String, Value>;

/// An engine: its mount path, with a `/` at the end, and whether it is version 2.
struct Mount {
    path: String,
    is_versioned: bool,
}

/// Reads the secret at a path that begins with the engine's mount, as `vault kv get` does.
pub(super) async fn read(vault: &Vault<'_>, path: &str) -> Result<Values, Fault> {
    let path = path.trim_matches('/');
    let answer = match mount(vault, path).await? {
        Some(mount) if mount.is_versioned => vault.get(&versioned(path, &mount.path)).await?,
        Some(_) => vault.get(path).await?,
        None => return guess(vault, path).await,
    };
    values(&answer)
}

/// Asks which engine a path belongs to; `None` if the token is not allowed to know.
async fn mount(vault: &Vault<'_>, path: &str) -> Result<Option<Mount>, Fault> {
    let answer = vault.get(&format!("sys/internal/ui/mounts/{path}")).await?;
    match answer.status {
        200 => {}
        400..=499 => return Ok(None),
        _ => return Err(answer.fault(UNEXPECTED)),
    }
    let at = |pointer| answer.body.pointer(pointer).and_then(Value::as_str);
    let mount = at("/data/path").map(|path| Mount {
        path: path.to_owned(),
        is_versioned: at("/data/options/version") == Some("2"),
    });
    Ok(mount.filter(|mount| path.starts_with(&mount.path)))
}

/// Tries both versions, with the first part of the path as the mount.
async fn guess(vault: &Vault<'_>, path: &str) -> Result<Values, Fault> {
    let mount = path.split_inclusive('/').next().unwrap_or_default();
    let second = vault.get(&versioned(path, mount)).await?;
    if second.is_success() && second.body.pointer("/data/metadata").is_some() {
        return values(&second);
    }
    let first = vault.get(path).await?;
    // a path refused in one version belongs to the other version, or is refused in both
    values(if first.status == 403 && second.status == 404 {
        &second
    } else {
        &first
    })
}

fn versioned(path: &str, mount: &str) -> String {
    let rest = path.strip_prefix(mount).unwrap_or(path);
    format!("{mount}data/{rest}")
}

fn values(answer: &Answer) -> Result<Values, Fault> {
    match answer.status {
        200 => {}
        403 => return Err(answer.fault("Vault does not permit it")),
        404 => return Err(Fault::new("it is not there")),
        _ => return Err(answer.fault(UNEXPECTED)),
    }
    let data = answer.body.get("data");
    let versioned = data
        .filter(|data| data.get("metadata").is_some())
        .and_then(|data| data.get("data"));
    match versioned.or(data) {
        Some(Value::Object(values)) => Ok(values.clone()),
        _ => Err(Fault::new(
            "Vault answered with no secret; is the path one of a KV engine?",
        )),
    }
}
