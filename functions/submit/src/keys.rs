//! Makes an API key for whoever may invoke the function. So a deployment gets its first one: the API itself asks for a key.

use anyhow::bail;
use callboard_core::access::Requester;
use callboard_core::access::keys::{self, NewKey};
use callboard_core::base::id::Tenant;
use callboard_lambda::Parts;
use serde_json::{Value, json};

/// Makes the key that is asked for, as `POST /api/v1/keys` does, and returns it.
pub(crate) async fn create(parts: &Parts, body: &Value) -> anyhow::Result<Value> {
    let new = match NewKey::read(body, &parts.submitter().kinds.subjects()) {
        Ok(new) => new,
        Err(faults) => {
            let told = faults.iter().map(|fault| format!("{} {}", fault.pointer, fault.detail));
            bail!("no key was made: {}", told.collect::<Vec<_>>().join("; "));
        }
    };
    let by = Requester::own(Tenant::default(), "lambda:invoke").caller;
    let (key, text) = keys::create(&*parts.api_keys, &*parts.clock, &by, new).await?;
    Ok(json!({
        "key": text.expose(),
        "id": key.id,
        "name": key.name,
        "tenant": key.tenant,
        "scopes": key.scopes,
        "expires_at": key.expires_at,
    }))
}
