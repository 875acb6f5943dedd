//! `callboard known-hosts`: the host keys that jobs have accepted.

use std::process::ExitCode;

use anyhow::{Context, bail};
use callboard_core::audit::{Deed, NewEntry, note};
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::credential::HostKeyStore;
use callboard_embedded::FileHostKeyStore;

use crate::cli::{DataFolder, KnownHostsArguments, KnownHostsVerb, LogFormat};
use crate::own::own;
use crate::{logging, parts, setup};

/// Lists the keys, or forgets one; a service may keep running meanwhile.
pub(crate) async fn known_hosts(arguments: KnownHostsArguments) -> anyhow::Result<ExitCode> {
    logging::start(LogFormat::Text, "warn");
    let data = setup::data_there(&DataFolder { path: arguments.data })?;
    let (store, tenant) = (FileHostKeyStore::new(data.clone()), Tenant::default());
    match arguments.verb {
        KnownHostsVerb::List => {
            for key in store.load(&tenant).await.context("the host keys cannot be read")? {
                println!("{} {} {}", key.host, key.kind(), key.fingerprint());
            }
        }
        KnownHostsVerb::Forget { host } => match store.forget(&tenant, &host).await {
            Ok(()) => {
                let entry = NewEntry::of(&own(), Deed::HostKeyForget, Some(host.clone()));
                note(&parts::audit(parts::database(&data)?), entry).await;
                println!("The key of {host} is forgotten: the next job accepts the one that the host has then.");
            }
            Err(StoreError::NotFound) => {
                bail!(
                    "no job has accepted a key of {host:?}; `callboard known-hosts list` shows the accepted keys, with other ports as [HOST]:PORT"
                )
            }
            Err(error) => return Err(error).with_context(|| format!("the key of {host} could not be forgotten")),
        },
    }
    Ok(ExitCode::SUCCESS)
}
