//! Makes an API key for whoever may invoke the function. So a deployment gets its first one: the API itself asks for a key.

use anyhow::bail;
use callboard_api::KeyView;
use callboard_core::access::Requester;
use callboard_core::access::keys::{self, NewKey};
use callboard_core::audit::{Deed, NewEntry, note};
use callboard_core::base::id::Tenant;
use callboard_lambda::Parts;
use serde_json::Value;

/// Makes the key that is asked for, as `POST /api/v1/keys` does, and returns it.
pub(crate) async fn create(parts: &Parts, body: &Value) -> anyhow::Result<Value> {
    let new = match NewKey::read(body, &parts.submitter().kinds.subjects()) {
        Ok(new) => new,
        Err(faults) => {
            let told = faults.iter().map(|fault| format!("{} {}", fault.pointer, fault.detail));
            bail!("no key was made: {}", told.collect::<Vec<_>>().join("; "));
        }
    };
    let by = Requester::own(Tenant::default(), "lambda:invoke");
    let (key, text) = keys::create(&*parts.api_keys, &*parts.clock, &by.caller, new).await?;
    let entry = NewEntry::of(&by, Deed::KeyCreate, Some(key.id.to_string()));
    note(&*parts.audit, entry).await;
    Ok(serde_json::to_value(KeyView::made(key, text))?)
}
