//! [`HostKeyStore`] in the table of jobs: one item per host, which never changes and never expires.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnValue;
use callboard_core::base::id::Tenant;
use callboard_core::base::store_error::StoreError;
use callboard_core::credential::HostKeyStore;
use callboard_core::credential::known_hosts::HostKey;
use futures_util::future::try_join_all;

use crate::attributes::{Attributes, Item, string};
use crate::error::{aws, conditional};

const AT_ONCE: usize = 16;

/// Keeps host keys in a table.
#[derive(Clone, Debug)]
pub struct DynamoDbHostKeyStore {
    client: Client,
    table: String,
}

impl DynamoDbHostKeyStore {
    /// Uses a table.
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        let client = Client::new(config);
        Self { client, table }
    }

    async fn put(&self, tenant: &Tenant, key: &HostKey) -> Result<(), StoreError> {
        let mut item = item_key(tenant, &key.host);
        item.insert("host_key".to_owned(), string(key.key.as_str()));
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        conditional(put.condition_expression("attribute_not_exists(pk)").send().await).map(drop)
    }
}

#[async_trait]
impl HostKeyStore for DynamoDbHostKeyStore {
    async fn load(&self, tenant: &Tenant) -> Result<Vec<HostKey>, StoreError> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query
            .key_condition_expression("pk = :tenant")
            .expression_attribute_values(":tenant", string(partition(tenant)));
        let mut items = query.into_paginator().items().send();
        let mut keys = Vec::new();
        while let Some(item) = items.try_next().await.map_err(aws)? {
            let fields = Attributes(&item);
            let (host, key) = (fields.string("sk")?.to_owned(), fields.string("host_key")?.to_owned());
            keys.push(HostKey { host, key });
        }
        Ok(keys)
    }

    async fn keep(&self, tenant: &Tenant, keys: &[HostKey]) -> Result<(), StoreError> {
        for some in keys.chunks(AT_ONCE) {
            try_join_all(some.iter().map(|key| self.put(tenant, key))).await?;
        }
        Ok(())
    }

    async fn forget(&self, tenant: &Tenant, host: &str) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.table);
        let delete = delete.set_key(Some(item_key(tenant, host)));
        let deleted = delete.return_values(ReturnValue::AllOld).send().await.map_err(aws)?;
        match deleted.attributes {
            Some(_) => Ok(()),
            None => Err(StoreError::NotFound),
        }
    }

    fn how_to_forget(&self, tenant: &Tenant, host: &str) -> String {
        let (table, partition) = (&self.table, partition(tenant));
        let key = format!(r#"{{"pk":{{"S":"{partition}"}},"sk":{{"S":"{host}"}}}}"#);
        format!("`aws dynamodb delete-item --table-name {table} --key '{key}'`")
    }
}

fn partition(tenant: &Tenant) -> String {
    format!("HOSTKEYS#{}", tenant.as_str())
}

fn item_key(tenant: &Tenant, host: &str) -> Item {
    HashMap::from([
        ("pk".to_owned(), string(partition(tenant))),
        ("sk".to_owned(), string(host)),
    ])
}
