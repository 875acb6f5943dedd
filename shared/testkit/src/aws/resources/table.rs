//! The table.

use anyhow::ensure;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TimeToLiveSpecification,
};

use crate::aws::template::Part;

const INDEXES: [&str; 4] = ["history", "outcome", "active", "service"];

/// Makes a table with its keys, indexes and time to live. DynamoDB Local supports neither point-in-time recovery nor
/// encryption, so this only checks that the template has them.
pub(super) async fn create(client: &Client, properties: &Part<'_>, name: &str) -> anyhow::Result<()> {
    for pointer in [
        "/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled",
        "/SSESpecification/SSEEnabled",
        "/TimeToLiveSpecification/Enabled",
    ] {
        ensure!(
            properties.flag(pointer)?,
            "infra/template.yaml: JobsTable has not {pointer}"
        );
    }
    let mut indexes = Vec::new();
    for part in properties.list("/GlobalSecondaryIndexes")? {
        indexes.push(index(&part)?);
    }
    let names: Vec<&str> = indexes.iter().map(GlobalSecondaryIndex::index_name).collect();
    ensure!(
        names == INDEXES,
        "infra/template.yaml: JobsTable has the indexes {names:?}"
    );
    client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::from(properties.text("/BillingMode")?))
        .set_attribute_definitions(Some(attributes(properties)?))
        .set_key_schema(Some(keys(properties)?))
        .set_global_secondary_indexes(Some(indexes))
        .send()
        .await?;
    let time_to_live = TimeToLiveSpecification::builder()
        .attribute_name(properties.text("/TimeToLiveSpecification/AttributeName")?)
        .enabled(true)
        .build()?;
    let update = client.update_time_to_live().table_name(name);
    update.time_to_live_specification(time_to_live).send().await?;
    Ok(())
}

fn attributes(table: &Part<'_>) -> anyhow::Result<Vec<AttributeDefinition>> {
    let attribute = |part: &Part<'_>| {
        let kind = ScalarAttributeType::from(part.text("/AttributeType")?);
        let name = part.text("/AttributeName")?;
        Ok(AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(kind)
            .build()?)
    };
    table.list("/AttributeDefinitions")?.iter().map(attribute).collect()
}

fn keys(of: &Part<'_>) -> anyhow::Result<Vec<KeySchemaElement>> {
    let key = |part: &Part<'_>| {
        let kind = KeyType::from(part.text("/KeyType")?);
        let name = part.text("/AttributeName")?;
        Ok(KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()?)
    };
    of.list("/KeySchema")?.iter().map(key).collect()
}

fn index(part: &Part<'_>) -> anyhow::Result<GlobalSecondaryIndex> {
    let names = part.list("/Projection/NonKeyAttributes")?;
    let names: anyhow::Result<Vec<_>> = names.iter().map(|name| Ok(name.text("")?.to_owned())).collect();
    let projection = Projection::builder()
        .projection_type(ProjectionType::from(part.text("/Projection/ProjectionType")?))
        .set_non_key_attributes(Some(names?))
        .build();
    let index = GlobalSecondaryIndex::builder()
        .index_name(part.text("/IndexName")?)
        .set_key_schema(Some(keys(part)?))
        .projection(projection);
    Ok(index.build()?)
}
