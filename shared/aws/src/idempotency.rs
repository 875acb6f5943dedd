//! [`IdempotencyStore`] in the table of jobs: one item per key.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::submit::{IdempotencyKey, IdempotencyStore, KEY_LIFE, Reservation};

use crate::attributes::{Attributes, Item, instant, json, number, string};
use crate::error::{aws, conditional};

/// How much longer than the key its item is kept, because clocks may differ.
const SLACK: Duration = Duration::from_secs(3600);
const TRIES: u32 = 3;

/// Keeps keys in a table.
#[derive(Clone, Debug)]
pub struct DynamoDbIdempotencyStore {
    client: Client,
    table: String,
}

impl DynamoDbIdempotencyStore {
    /// Uses a table.
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        let client = Client::new(config);
        Self { client, table }
    }

    async fn get(&self, key: Item) -> Result<Option<Reservation>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key));
        let found = get.consistent_read(true).send().await.map_err(aws)?;
        let item = found.item.map(|item| Attributes(&item).json("reservation"));
        Ok(item.transpose()?.flatten())
    }
}

#[async_trait]
impl IdempotencyStore for DynamoDbIdempotencyStore {
    async fn reserve(
        &self,
        tenant: &Tenant,
        key: &IdempotencyKey,
        reservation: &Reservation,
    ) -> Result<Reservation, StoreError> {
        let over = (reservation.at + KEY_LIFE + SLACK).as_millis() / 1000;
        for _ in 0..TRIES {
            let mut item = item_key(tenant, key);
            item.extend([
                ("reservation".to_owned(), json(reservation)?),
                ("reserved_job".to_owned(), string(reservation.job.to_string())),
                ("reserved_at".to_owned(), instant(reservation.at)),
                ("expires_at".to_owned(), number(over)),
            ]);
            let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
            let put = put
                .condition_expression("attribute_not_exists(pk) OR reserved_at <= :over")
                .expression_attribute_values(":over", instant(reservation.at - KEY_LIFE));
            if conditional(put.send().await)?.is_some() {
                return Ok(reservation.clone());
            }
            // the key may have been freed in the meantime
            if let Some(standing) = self.get(item_key(tenant, key)).await? {
                return Ok(standing);
            }
        }
        Err(StoreError::Unavailable("the key was taken and freed too often".into()))
    }

    async fn settle(&self, tenant: &Tenant, key: &IdempotencyKey, job: JobId) -> Result<(), StoreError> {
        let Some(mut standing) = self.get(item_key(tenant, key)).await? else {
            return Ok(());
        };
        if standing.job != job {
            return Ok(());
        }
        standing.answered = true;
        let update = self.client.update_item().table_name(&self.table);
        let update = update
            .set_key(Some(item_key(tenant, key)))
            .update_expression("SET reservation = :settled")
            .expression_attribute_values(":settled", json(&standing)?)
            .condition_expression("reserved_job = :job")
            .expression_attribute_values(":job", string(job.to_string()));
        conditional(update.send().await).map(drop)
    }

    async fn free(&self, tenant: &Tenant, key: &IdempotencyKey, job: JobId) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.table);
        let delete = delete
            .set_key(Some(item_key(tenant, key)))
            .condition_expression("reserved_job = :job")
            .expression_attribute_values(":job", string(job.to_string()));
        conditional(delete.send().await).map(drop)
    }
}

fn item_key(tenant: &Tenant, key: &IdempotencyKey) -> Item {
    let partition = format!("IDEM#{}#{key}", tenant.as_str());
    HashMap::from([("pk".to_owned(), string(partition)), ("sk".to_owned(), string("KEY"))])
}
