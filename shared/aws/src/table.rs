//! The table: conditional writes of one item.
//!
//! Each write leaves its own mark in the item. If the answer to a write is lost, its repetition fails on the condition
//! that the first try has changed; the mark shows that the write happened.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnValue;
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use uuid::Uuid;

use crate::attributes::{Item, string};
use crate::error::{aws, conditional};
use crate::item;
use crate::update::Update;

/// The table of jobs.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
}

/// Why a conditional write changed nothing.
pub(crate) enum Unmet {
    /// The condition does not hold; holds the current item.
    Refused(Box<Item>),
    /// The table could not be reached, or has no such job.
    Store(StoreError),
}

impl From<StoreError> for Unmet {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Unmet {
    pub(crate) fn into_conflict(self) -> StoreError {
        match self {
            Self::Refused(_) => StoreError::Conflict,
            Self::Store(error) => error,
        }
    }
}

impl Table {
    /// Adds an item; `Conflict` if the job exists.
    pub(crate) async fn put(&self, id: JobId, mut item: Item) -> Result<(), StoreError> {
        let mark = Uuid::new_v4().to_string();
        item.insert("written".to_owned(), string(mark.as_str()));
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
        match conditional(put.condition_expression("attribute_not_exists(pk)").send().await)? {
            Some(_) => Ok(()),
            None => self.unmet(id, &mark).await.map(drop).map_err(Unmet::into_conflict),
        }
    }

    /// Updates one job and returns its item after the update.
    pub(crate) async fn update(&self, id: JobId, update: Update) -> Result<Item, Unmet> {
        let mark = Uuid::new_v4().to_string();
        let update = update
            .and("attribute_exists(#pk)")
            .set("written", string(mark.as_str()));
        let (expression, condition) = (update.expression(), update.condition());
        let updated = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item::key(id)))
            .update_expression(expression)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(Some(update.values))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match conditional(updated)? {
            Some(output) => Ok(output.attributes.unwrap_or_default()),
            None => self.unmet(id, &mark).await,
        }
    }

    /// Updates one job for a caller that does not need its current state; `Conflict` if the condition does not hold.
    pub(crate) async fn step(&self, id: JobId, update: Update) -> Result<Item, StoreError> {
        self.update(id, update).await.map_err(Unmet::into_conflict)
    }

    /// Finds out what it means that the condition of a write did not hold: either this same write had already been made, or the condition is
    /// not met.
    async fn unmet(&self, id: JobId, mark: &str) -> Result<Item, Unmet> {
        let item = self.item(id).await?;
        if item.get("written") == Some(&string(mark)) {
            Ok(item)
        } else {
            Err(Unmet::Refused(Box::new(item)))
        }
    }

    /// Reads a job's item as the last write left it.
    pub(crate) async fn item(&self, id: JobId) -> Result<Item, StoreError> {
        let get = self.client.get_item().table_name(&self.name);
        let found = get.set_key(Some(item::key(id))).consistent_read(true).send().await;
        found.map_err(aws)?.item.ok_or(StoreError::NotFound)
    }

    /// Reads a job's tenant and how long it is kept. These never change, so any replica that has the job will do.
    pub(crate) async fn constants(&self, id: JobId) -> Result<(Tenant, Duration), StoreError> {
        let get = self.client.get_item().table_name(&self.name);
        let get = get
            .set_key(Some(item::key(id)))
            .projection_expression("tenant, retention");
        let found = get.send().await.map_err(aws)?.item;
        let item = match found {
            Some(item) => item,
            None => self.item(id).await?,
        };
        Ok((item::tenant(&item)?, item::retention(&item)?))
    }
}
