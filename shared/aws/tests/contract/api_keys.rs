//! The table as a store of API keys.

use std::time::Duration;

use anyhow::{Context, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use callboard_aws::DynamoDbKeyStore;
use callboard_core::access::{ApiKey, Former, KeyId, KeyKind, KeyStore};
use callboard_core::base::store_error::StoreError;
use callboard_testkit::aws::Resources;
use callboard_testkit::contract::key_store::{another_hash, create, key_of, session_of};
use callboard_testkit::contract::samples::{HOUR, absent, now, refused, tenant};
use serde_json::{Value, json};

use crate::fake::{Answer, Fake};
use crate::lossy::Lossy;

const SECOND: Duration = Duration::from_secs(1);

pub(crate) async fn make() -> anyhow::Result<(DynamoDbKeyStore, Resources)> {
    let resources = Resources::create().await?;
    let store = DynamoDbKeyStore::new(&resources.config, resources.table.clone());
    Ok((store, resources))
}

/// The first write of each pair loses its answer; what is refused is refused all the same.
#[tokio::test]
async fn a_change_whose_answer_is_lost_happens_once() -> anyhow::Result<()> {
    let (direct, resources) = make().await?;
    let lossy = Lossy::start().await?;
    let store = DynamoDbKeyStore::new(&lossy.config().await, resources.table.clone());
    let (tenant, at) = (tenant(), now());
    for _ in 0..4 {
        let mut key = create(&store, &tenant).await?;
        refused(store.create(&key).await)?;
        assert_eq!(direct.get(&key.id).await?, key);
        let former = Some(Former {
            hash: key.hash,
            until: at + HOUR,
        });
        let before = key.hash;
        key = ApiKey {
            hash: another_hash()?,
            former: former.clone(),
            ..key
        };
        assert_eq!(store.rotate(&key.id, Some(before), key.hash, former).await?, key);
        store.used(&key.id, at + SECOND).await?;
        store.used(&key.id, at).await?;
        key.last_used_at = Some(at + SECOND);
        key.revoked_at = Some(at);
        assert_eq!(store.revoke(&key.id, at).await?, key);
        refused(store.rotate(&key.id, None, another_hash()?, None).await)?;
        assert_eq!(store.get(&key.id).await?, key);
        absent(store.used(&key_of(&tenant)?.id, at).await)?;
    }
    assert_eq!(store.list(&tenant, KeyKind::Key, None, 10).await?.keys.len(), 4);
    assert!(lossy.lost() > 30, "only {} answers were lost", lossy.lost());
    Ok(())
}

/// The table deletes items some time after their `expires_at`.
#[tokio::test]
async fn items_of_sessions_expire_and_those_of_keys_never_do() -> anyhow::Result<()> {
    let ((store, resources), tenant) = (make().await?, tenant());
    let (session, scan) = (session_of(&tenant)?, || {
        resources.dynamodb().scan().table_name(&resources.table)
    });
    store.create(&session).await?;
    let items = scan().send().await?.items.unwrap_or_default();
    assert_eq!(items.len(), 2, "{items:?}");
    let until = session.expires_at.context("its end")?.as_millis() / 1000;
    for item in items {
        assert_eq!(item["expires_at"], AttributeValue::N(until.to_string()));
        let delete = resources.dynamodb().delete_item().table_name(&resources.table);
        let delete = delete.key("pk", item["pk"].clone()).key("sk", item["sk"].clone());
        delete.send().await?;
    }
    let key = ApiKey {
        expires_at: Some(now() - HOUR),
        ..key_of(&tenant)?
    };
    store.create(&key).await?;
    let items = scan().send().await?.items.unwrap_or_default();
    assert_eq!(items.len(), 3, "{items:?}");
    for item in items {
        ensure!(!item.contains_key("expires_at"), "{item:?}");
    }
    Ok(())
}

/// A scope that only a newer release knows, and an attribute that is missing besides.
#[tokio::test]
async fn a_damaged_key_is_accepted_for_nothing_and_keeps_no_other_from_being_listed() -> anyhow::Result<()> {
    for damage in ["SET scopes = :scopes", "SET scopes = :scopes REMOVE created_by"] {
        let ((store, resources), tenant) = (make().await?, tenant());
        let mut keys = Vec::new();
        for _ in 0..4 {
            keys.push(create(&store, &tenant).await?);
        }
        keys.sort_by(|one, other| one.id.cmp(&other.id));
        let damaged = keys.remove(1).id;
        spoil(&resources, &damaged, damage).await?;
        let read = store.get(&damaged).await;
        ensure!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
        let page = store.list(&tenant, KeyKind::Key, None, 2).await?;
        assert_eq!((&page.keys[..], page.has_more), (&keys[..2], true));
        let page = store.list(&tenant, KeyKind::Key, None, 3).await?;
        assert_eq!((page.keys, page.has_more), (keys, false));
    }
    Ok(())
}

/// DynamoDB answers with less than it was asked for when there is too much of it, or too much to do.
#[tokio::test]
async fn keys_that_a_batch_leaves_out_are_asked_for_again() -> anyhow::Result<()> {
    let tenant = tenant();
    let mut keys = [key_of(&tenant)?, key_of(&tenant)?, key_of(&tenant)?];
    keys.sort_by(|one, other| one.id.cmp(&other.id));
    let answers = keys.clone();
    let fake = Fake::start(move |request, before| {
        let [first, second, third] = &answers;
        if request.ends_with(".query") {
            return entries(&answers);
        }
        match before {
            1 => batch(&[], &[first, second, third]),
            2 => batch(&[third], &[first, second]),
            _ => batch(&[second, first], &[]),
        }
    })
    .await?;
    let store = DynamoDbKeyStore::new(&fake.config().await, "jobs".to_owned());
    let page = store.list(&tenant, KeyKind::Key, None, 10).await?;
    assert_eq!((&page.keys[..], page.has_more), (&keys[..], false));
    assert_eq!(fake.requests().len(), 4);
    Ok(())
}

#[tokio::test]
async fn a_batch_that_is_never_complete_makes_the_list_unavailable() -> anyhow::Result<()> {
    let key = key_of(&tenant())?;
    let answers = [key.clone()];
    let fake = Fake::start(move |request, _| match request.ends_with(".query") {
        true => entries(&answers),
        false => batch(&[], &[&answers[0]]),
    })
    .await?;
    let store = DynamoDbKeyStore::new(&fake.config().await, "jobs".to_owned());
    let listed = store.list(&key.tenant, KeyKind::Key, None, 10).await;
    ensure!(matches!(listed, Err(StoreError::Unavailable(_))), "{listed:?}");
    Ok(())
}

/// Every request to the API asks for a key.
#[tokio::test]
async fn a_key_is_had_with_one_read() -> anyhow::Result<()> {
    let key = key_of(&tenant())?;
    let answer = json!({"Item": item(&key)}).to_string();
    let fake = Fake::start(move |_, _| Answer::Whole(200, answer.clone())).await?;
    let store = DynamoDbKeyStore::new(&fake.config().await, "jobs".to_owned());
    assert_eq!(store.get(&key.id).await?, key);
    let requests = fake.requests();
    let only = requests.first().context("a request")?;
    ensure!(requests.len() == 1 && only.ends_with(".getitem"), "{requests:?}");
    Ok(())
}

/// A transaction on the same items is in the way, or the table has too much to do; a key that is there is a conflict at once.
#[tokio::test]
async fn a_create_that_something_is_in_the_way_of_is_made_a_moment_later() -> anyhow::Result<()> {
    let fake = Fake::start(|request, before| match before {
        _ if request.ends_with(".getitem") => Answer::Whole(200, "{}".to_owned()),
        1 => canceled(["None", "None", "TransactionConflict"]),
        3 => canceled(["None", "ThrottlingError", "None"]),
        5 => canceled(["TransactionConflict", "None", "None"]),
        _ => Answer::Whole(200, "{}".to_owned()),
    })
    .await?;
    let store = DynamoDbKeyStore::new(&fake.config().await, "jobs".to_owned());
    store.create(&key_of(&tenant())?).await?;
    assert_eq!(fake.requests().len(), 8);

    let fake = Fake::start(|request, _| match request.ends_with(".getitem") {
        true => Answer::Whole(200, "{}".to_owned()),
        false => canceled(["ConditionalCheckFailed", "None", "TransactionConflict"]),
    })
    .await?;
    let store = DynamoDbKeyStore::new(&fake.config().await, "jobs".to_owned());
    refused(store.create(&key_of(&tenant())?).await)?;
    assert_eq!(fake.requests().len(), 2);
    Ok(())
}

/// Makes DynamoDB's answer to a transaction that it cancels, for a reason for each item.
fn canceled(reasons: [&str; 3]) -> Answer {
    let reasons = reasons.map(|code| json!({"Code": code}));
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    Answer::Whole(400, json!({"__type": kind, "CancellationReasons": reasons}).to_string())
}

/// Makes DynamoDB's answer with the entries of keys.
fn entries(keys: &[ApiKey]) -> Answer {
    let entry =
        |key: &ApiKey| json!({"pk": {"S": format!("KEYS#{}", key.tenant.as_str())}, "sk": {"S": key.id.as_str()}});
    let items: Vec<Value> = keys.iter().map(entry).collect();
    Answer::Whole(
        200,
        json!({"Items": items, "Count": keys.len(), "ScannedCount": keys.len()}).to_string(),
    )
}

/// Makes DynamoDB's answer with some items, which leaves out others.
fn batch(had: &[&ApiKey], left_out: &[&ApiKey]) -> Answer {
    let items: Vec<Value> = had.iter().map(|key| item(key)).collect();
    let keys: Vec<Value> = left_out.iter().map(|key| place(key)).collect();
    let left = match keys.is_empty() {
        true => json!({}),
        false => json!({"jobs": {"Keys": keys, "ConsistentRead": true}}),
    };
    let answer = json!({"Responses": {"jobs": items}, "UnprocessedKeys": left});
    Answer::Whole(200, answer.to_string())
}

fn place(key: &ApiKey) -> Value {
    json!({"pk": {"S": format!("KEY#{}", key.id)}, "sk": {"S": "KEY"}})
}

fn item(key: &ApiKey) -> Value {
    json!({
        "pk": {"S": format!("KEY#{}", key.id)},
        "sk": {"S": "KEY"},
        "tenant": {"S": key.tenant.as_str()},
        "name": {"S": key.name},
        "scopes": {"S": json!(key.scopes).to_string()},
        "hash": {"S": key.hash.to_hex()},
        "created_at": {"N": key.created_at.as_millis().to_string()},
        "created_by": {"S": key.created_by},
    })
}

async fn spoil(resources: &Resources, id: &KeyId, damage: &str) -> anyhow::Result<()> {
    let text = |text: String| AttributeValue::S(text);
    let update = resources.dynamodb().update_item().table_name(&resources.table);
    let update = update
        .key("pk", text(format!("KEY#{id}")))
        .key("sk", text("KEY".to_owned()))
        .update_expression(damage)
        .expression_attribute_values(":scopes", text(r#"["jobs:bury"]"#.to_owned()));
    update.send().await?;
    Ok(())
}
