//! API keys as items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use callboard_core::access::{ApiKey, KeyId, KeyKind};
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;

use crate::attributes::{Attributes, Item, corrupt, instant, json, missing, number, string};

const OF_KEY: &str = "KEY#";

/// Returns the key of an API key's item.
pub(super) fn key(id: &str) -> Item {
    place(format!("{OF_KEY}{id}"), "KEY")
}

/// Returns the item that lists have of an API key: where it is in the order of ids, and nothing that changes.
pub(super) fn entry(key: &ApiKey) -> Item {
    let mut item = place(partition(&key.tenant, key.kind()), key.id.as_str());
    item.extend(time_to_live(key));
    item
}

/// Returns the partition of a tenant's entries of a kind.
pub(super) fn partition(tenant: &Tenant, kind: KeyKind) -> String {
    let of = match kind {
        KeyKind::Key => "KEYS",
        KeyKind::Session => "SESSIONS",
    };
    format!("{of}#{}", tenant.as_str())
}

/// Returns the item that is there as soon as there is any key. Without it, only a scan of the whole table, jobs included, would tell.
pub(super) fn any() -> Item {
    place("KEYS".to_owned(), "ANY")
}

/// Makes an API key's item. Its end is not in `expires_at`, unless it is a session: that is the table's time to live, and whoever shows an
/// expired key is to be told so.
pub(super) fn of(api_key: &ApiKey) -> Result<Item, StoreError> {
    let mut item = key(api_key.id.as_str());
    item.extend(
        [
            ("tenant", Some(string(api_key.tenant.as_str()))),
            ("name", Some(string(&api_key.name))),
            ("scopes", Some(json(&api_key.scopes)?)),
            ("hash", Some(string(api_key.hash.to_hex()))),
            ("former", api_key.former.as_ref().map(json).transpose()?),
            ("created_at", Some(instant(api_key.created_at))),
            ("created_by", Some(string(&api_key.created_by))),
            ("valid_until", api_key.expires_at.map(instant)),
            ("last_used_at", api_key.last_used_at.map(instant)),
            ("revoked_at", api_key.revoked_at.map(instant)),
            ("session", api_key.session.as_ref().map(json).transpose()?),
        ]
        .into_iter()
        .filter_map(|(name, value): (&str, Option<AttributeValue>)| Some((name.to_owned(), value?))),
    );
    item.extend(time_to_live(api_key));
    Ok(item)
}

/// Returns when the table deletes the items of a session, in seconds.
fn time_to_live(key: &ApiKey) -> Option<(String, AttributeValue)> {
    let until = key.session_until()?;
    Some(("expires_at".to_owned(), number(until.as_millis() / 1000)))
}

/// Reads an API key.
pub(super) fn read(item: &Item) -> Result<ApiKey, StoreError> {
    let fields = Attributes(item);
    let hash = serde_json::from_value(fields.string("hash")?.into());
    Ok(ApiKey {
        id: id(item)?,
        tenant: Tenant::from(fields.string("tenant")?.to_owned()),
        name: fields.string("name")?.to_owned(),
        scopes: fields.json("scopes")?.ok_or_else(|| missing("scopes"))?,
        hash: hash.map_err(corrupt)?,
        former: fields.json("former")?,
        created_at: fields.instant("created_at")?,
        created_by: fields.string("created_by")?.to_owned(),
        expires_at: fields.optional_instant("valid_until")?,
        last_used_at: fields.optional_instant("last_used_at")?,
        revoked_at: fields.optional_instant("revoked_at")?,
        session: fields.json("session")?,
    })
}

/// Reads the id of an API key.
pub(super) fn id(item: &Item) -> Result<KeyId, StoreError> {
    let id = Attributes(item).string("pk")?.strip_prefix(OF_KEY);
    id.ok_or_else(|| missing("pk"))?.parse().map_err(corrupt)
}

fn place(partition: String, sort: &str) -> Item {
    HashMap::from([("pk".to_owned(), string(partition)), ("sk".to_owned(), string(sort))])
}
