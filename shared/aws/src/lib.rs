//! Adapters for AWS.

mod archive_cache;
mod attributes;
mod bodies;
mod breakers;
mod config;
mod credential_store;
mod credential_tags;
mod error;
mod host_keys;
mod idempotency;
mod item;
mod job_queue;
mod job_store;
mod listing;
mod log_store;
pub mod message;
mod object;
mod stats;
mod steps;
mod stored;
mod table;
mod update;
mod watched_object;

pub use archive_cache::S3ArchiveCache;
pub use aws_config::SdkConfig;
pub use breakers::DynamoDbBreakerStore;
pub use config::{s3_client, sdk_config};
pub use credential_store::SecretsManagerCredentialStore;
pub use host_keys::DynamoDbHostKeyStore;
pub use idempotency::DynamoDbIdempotencyStore;
pub use job_queue::SqsQueue;
pub use job_store::{DynamoDbJobStore, JobStoreSettings};
pub use log_store::S3LogStore;
pub use stats::DynamoDbStatsStore;
pub use watched_object::WatchedObject;
