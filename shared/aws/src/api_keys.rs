//! [`KeyStore`] in the table of jobs: an item for each key, and one by which lists find it. Only those of sessions expire.

mod item;
mod list;

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, ReturnValue, TransactWriteItem};
use callboard_core::access::{ApiKey, Former, KeyId, KeyKind, KeyPage, KeyStore, SecretHash};
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use tokio::time::sleep;
use uuid::Uuid;

use crate::attributes::{Item, instant, json, string};
use crate::error::{aws, conditional};
use crate::update::Update;

/// Why a transaction is canceled that may be made a moment later.
const IN_THE_WAY: [&str; 3] = [
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
];
/// How long to wait before each try, in milliseconds.
const PAUSES: [u64; 8] = [0, 20, 40, 60, 80, 160, 240, 320];

/// Keeps API keys in a table.
#[derive(Clone, Debug)]
pub struct DynamoDbKeyStore {
    client: Client,
    table: String,
}

impl DynamoDbKeyStore {
    /// Uses a table.
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        let client = Client::new(config);
        Self { client, table }
    }

    /// Reads an item as the last write left it.
    async fn item(&self, key: Item) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key));
        Ok(get.consistent_read(true).send().await.map_err(aws)?.item)
    }

    /// Writes the items of a new key together; returns false if something else was in the way.
    async fn try_to_create(&self, key: &ApiKey) -> Result<bool, StoreError> {
        let new = Some("attribute_not_exists(pk)");
        let mut puts = vec![self.put(item::of(key)?, new)?, self.put(item::entry(key), new)?];
        if key.kind() == KeyKind::Key && self.is_empty().await? {
            // with the first keys only, because transactions that write the same item are in each other's way
            puts.push(self.put(item::any(), None)?);
        }
        // by its token, DynamoDB knows the repetition of a write whose answer was lost
        let write = self.client.transact_write_items().set_transact_items(Some(puts));
        let write = write.client_request_token(Uuid::new_v4().to_string());
        match write.send().await {
            Ok(_) => Ok(true),
            Err(error) if is_canceled(&error, &["ConditionalCheckFailed"]) => Err(StoreError::Conflict),
            Err(error) if is_canceled(&error, &IN_THE_WAY) => Ok(false),
            Err(error) => Err(aws(error)),
        }
    }

    /// Makes the part of a transaction that writes an item.
    fn put(&self, item: Item, condition: Option<&str>) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = put.set_condition_expression(condition.map(str::to_owned)).build();
        let put = put.map_err(|error| StoreError::Rejected(Box::new(error)))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Changes some attributes of a key and returns its item after that; `NotFound` if there is none, `Conflict` if the condition does not
    /// hold. Where the answer is lost, the change is made again, which must make no difference.
    async fn update(&self, id: &KeyId, update: Update) -> Result<Item, StoreError> {
        let update = update.and("attribute_exists(#pk)");
        let (expression, condition) = (update.expression(), update.condition());
        let ask = self.client.update_item().table_name(&self.table);
        let ask = ask
            .set_key(Some(item::key(id.as_str())))
            .update_expression(expression)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(Some(update.values))
            .return_values(ReturnValue::AllNew);
        match conditional(ask.send().await)? {
            Some(updated) => Ok(updated.attributes.unwrap_or_default()),
            None => Err(self.unmet(id).await?),
        }
    }

    /// Returns what it means that the condition of a change did not hold. Keys are never deleted, so that this does not change meanwhile;
    /// of a session that is over, both answers are right.
    async fn unmet(&self, id: &KeyId) -> Result<StoreError, StoreError> {
        let found = self.item(item::key(id.as_str())).await?;
        Ok(found.map_or(StoreError::NotFound, |_| StoreError::Conflict))
    }
}

#[async_trait]
impl KeyStore for DynamoDbKeyStore {
    async fn create(&self, key: &ApiKey) -> Result<(), StoreError> {
        for pause in PAUSES {
            sleep(Duration::from_millis(pause)).await;
            if self.try_to_create(key).await? {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable(
            "other writes were in the way of the API key's too often".into(),
        ))
    }

    async fn get(&self, id: &KeyId) -> Result<ApiKey, StoreError> {
        let found = self.item(item::key(id.as_str())).await?;
        item::read(&found.ok_or(StoreError::NotFound)?)
    }

    async fn list(
        &self,
        tenant: &Tenant,
        kind: KeyKind,
        after: Option<&KeyId>,
        limit: u32,
    ) -> Result<KeyPage, StoreError> {
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
        let partition = item::partition(tenant, kind);
        let found = self.following(&partition, after.map(KeyId::as_str), wanted).await?;
        Ok(KeyPage::new(found, limit))
    }

    async fn rotate(
        &self,
        id: &KeyId,
        from: Option<SecretHash>,
        hash: SecretHash,
        former: Option<Former>,
    ) -> Result<ApiKey, StoreError> {
        let update = Update::when("attribute_not_exists(#revoked_at)").set("hash", string(hash.to_hex()));
        let update = match from {
            // where the answer is lost, the repetition meets its own secret
            Some(from) => update
                .and("(#hash = :from OR #hash = :hash)")
                .value("from", string(from.to_hex())),
            None => update,
        };
        let update = match former {
            Some(former) => update.set("former", json(&former)?),
            None => update.remove(&["former"]),
        };
        item::read(&self.update(id, update).await?)
    }

    async fn revoke(&self, id: &KeyId, now: Timestamp) -> Result<ApiKey, StoreError> {
        let update = Update::default()
            .value("now", instant(now))
            .set_to("revoked_at", "if_not_exists(#revoked_at, :now)");
        item::read(&self.update(id, update).await?)
    }

    async fn used(&self, id: &KeyId, at: Timestamp) -> Result<(), StoreError> {
        let update = Update::when("(attribute_not_exists(#last_used_at) OR #last_used_at < :last_used_at)");
        match self.update(id, update.set("last_used_at", instant(at))).await {
            // an earlier use than the last one
            Err(StoreError::Conflict) => Ok(()),
            other => other.map(drop),
        }
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.item(item::any()).await?.is_none())
    }
}

/// Returns whether a transaction was canceled for one of some reasons.
fn is_canceled(error: &SdkError<TransactWriteItemsError>, reasons: &[&str]) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) = error.as_service_error() else {
        return false;
    };
    let codes = canceled
        .cancellation_reasons()
        .iter()
        .filter_map(|reason| reason.code());
    codes.into_iter().any(|code| reasons.contains(&code))
}
