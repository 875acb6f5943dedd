//! `callboard keys`: API keys of the service on a data folder.

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::anyhow;
use callboard_api::KeyView;
use callboard_core::access::keys::{self, KeyError, NewKey};
use callboard_core::access::{ApiKey, KeyKind};
use callboard_core::audit::{Deed, NewEntry, note};
use callboard_core::base::secret::Secret;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::{Clock, SystemClock, Timestamp};
use callboard_embedded::SqliteKeyStore;
use serde_json::json;

use crate::cli::{DataFolder, KeysArguments, KeysVerb, LogFormat};
use crate::own::own;
use crate::terminal::tell_none;
use crate::{kinds, logging, parts, setup};

/// Makes, lists, shows, rotates or revokes keys; a service may keep running meanwhile.
pub(crate) async fn keys(arguments: KeysArguments) -> anyhow::Result<ExitCode> {
    logging::start(LogFormat::Text, "warn");
    let data = match &arguments.verb {
        // a key may be made before the service is started for the first time
        KeysVerb::Create { .. } => setup::data(&DataFolder { path: arguments.data })?,
        _ => setup::data_there(&DataFolder { path: arguments.data })?,
    };
    let database = parts::database(&data)?;
    let (store, clock) = (SqliteKeyStore::new(database.clone()), SystemClock);
    let (audit, own) = (parts::audit(database.clone()), own());
    let by = &own.caller;
    let noted = |deed, key: &ApiKey| NewEntry::of(&own, deed, Some(key.id.to_string()));
    match arguments.verb {
        KeysVerb::Create {
            name,
            scopes,
            tenant,
            expires,
        } => {
            let body = json!({"name": name, "scopes": scopes, "tenant": tenant, "expires": expires});
            let new = NewKey::read(&body, &kinds::shown().subjects()).map_err(|faults| {
                let told = faults.iter().map(|fault| {
                    let flag = fault.pointer.replace("/scopes", "/scope");
                    format!("--{} {}", flag.trim_start_matches('/'), fault.detail)
                });
                anyhow!(told.collect::<Vec<_>>().join("\n"))
            })?;
            let made = keys::create(&store, &clock, by, new).await;
            let made = made.map_err(|error| told(error, ""))?;
            note(&audit, noted(Deed::KeyCreate, &made.0)).await;
            tell_made(made);
        }
        KeysVerb::List { tenant, sessions } => {
            let kind = if sessions { KeyKind::Session } else { KeyKind::Key };
            let all = keys::all(&store, &tenant, kind).await?;
            if all.is_empty() {
                tell_none(if sessions { "sessions" } else { "keys" }, &tenant);
            }
            list(all)?;
        }
        KeysVerb::Show { id } => {
            let key = keys::get(&store, by, &id)
                .await
                .map_err(|error| told(error.into(), id.as_str()))?;
            println!("{}", serde_json::to_string_pretty(&KeyView::from(key))?);
        }
        KeysVerb::Rotate { id, overlap } => {
            let overlap = keys::overlap(Some(&overlap)).map_err(|detail| anyhow!("--overlap {detail}"))?;
            let rotated = keys::rotate(&store, &clock, by, &id, overlap).await;
            let rotated = rotated.map_err(|error| told(error, id.as_str()))?;
            note(&audit, noted(Deed::KeyRotate, &rotated.0)).await;
            tell_made(rotated);
        }
        KeysVerb::Revoke { id } => {
            let revoked = keys::revoke(&store, &clock, by, &id).await;
            let key = revoked.map_err(|error| told(error, id.as_str()))?;
            note(&audit, noted(Deed::KeyRevoke, &key)).await;
            println!(
                "The key {} ({}) is revoked; it is refused within five seconds.",
                key.id, key.name
            );
        }
    }
    database.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Prints the key alone on standard output, so that a script can take it, and what to do with it beside.
fn tell_made((key, text): (ApiKey, Secret)) {
    println!("{}", text.expose());
    let until = match key.expires_at {
        Some(at) => format!("until {at}"),
        None => "without end".to_owned(),
    };
    eprintln!(
        "This is the key {:?} (id {}) of the tenant {}, accepted {until}. It is not stored and cannot be shown again. Send it as \
         `Authorization: Bearer KEY`.",
        key.name,
        key.id,
        key.tenant.as_str()
    );
}

fn list(all: Vec<ApiKey>) -> anyhow::Result<()> {
    if !std::io::stdout().is_terminal() {
        for key in all {
            println!("{}", serde_json::to_string(&KeyView::from(key))?);
        }
        return Ok(());
    }
    let date = |at: Option<Timestamp>| at.map_or("-".to_owned(), |at| at.to_string().chars().take(10).collect());
    println!(
        "{:<14}{:<22}{:<12}{:<12}{:<9}SCOPES",
        "ID", "NAME", "EXPIRES", "USED", "STATE"
    );
    let now = SystemClock.now();
    for key in all {
        let state = match (key.revoked_at, key.is_in_force(now)) {
            (Some(_), _) => "revoked",
            (None, false) => "expired",
            (None, true) => "",
        };
        let (expires, used) = (date(key.expires_at), date(key.last_used_at));
        let scopes: Vec<String> = key.scopes.0.iter().map(ToString::to_string).collect();
        let scopes = scopes.join(" ");
        println!(
            "{:<14}{:<22}{expires:<12}{used:<12}{state:<9}{scopes}",
            key.id.as_str(),
            key.name
        );
    }
    Ok(())
}

fn told(error: KeyError, id: &str) -> anyhow::Error {
    match error {
        KeyError::Store(StoreError::NotFound) => {
            anyhow!("there is no key {id}; `callboard keys list` shows those of a tenant")
        }
        KeyError::Store(StoreError::Conflict) => anyhow!("the key {id} is revoked, and stays so; make another"),
        taken @ KeyError::NameTaken { .. } => anyhow::Error::new(taken),
        error => anyhow::Error::new(error).context("the keys cannot be changed"),
    }
}
