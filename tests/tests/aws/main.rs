//! A deployment as a whole: from what an event of AWS asks for to what the API answers about it.

mod audit;
mod calls;
mod credentials;
mod deliveries;
mod doctor;
mod events;
mod files;
mod host_keys;
mod large;
mod losses;
mod outages;
mod producers;
mod requests;
mod services;
mod streams;
mod tasks;

use std::time::Duration;

use anyhow::Context;
use aws_sdk_sqs::types::QueueAttributeName;
use callboard_tests::Client;
use callboard_tests::aws::{Queue, Resources, Stack, StackSettings};
use serde_json::Value;

/// How long a test waits for what must come about.
const LIMIT: Duration = Duration::from_secs(60);

fn start() -> anyhow::Result<Stack> {
    Stack::start(&StackSettings::default())
}

/// Starts a stack whose functions have more variables.
fn start_with(variables: &[(&str, &str)]) -> anyhow::Result<Stack> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Stack::start(&StackSettings {
        environment: variables.collect(),
        ..StackSettings::default()
    })
}

/// Returns how many messages a queue has, those being worked on included.
async fn messages(resources: &Resources, queue: &Queue) -> anyhow::Result<u32> {
    let names = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    ];
    let asked = resources.sqs().get_queue_attributes().queue_url(&queue.url);
    let answer = asked.set_attribute_names(Some(names.to_vec())).send().await?;
    let counts = answer.attributes.context("a queue has attributes")?;
    Ok(counts.values().filter_map(|count| count.parse::<u32>().ok()).sum())
}

/// Waits until a queue has so many messages.
async fn until_messages(resources: &Resources, queue: &Queue, count: u32) -> anyhow::Result<()> {
    let waiting = async {
        while messages(resources, queue).await? != count {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(LIMIT, waiting)
        .await
        .with_context(|| format!("the queue {} never had {count} messages", queue.url))?
}

/// Returns every job, newest first.
async fn jobs(client: &Client) -> anyhow::Result<Vec<Value>> {
    let answer = client.get("/api/v1/jobs?limit=100").await?;
    answer.body["jobs"].as_array().cloned().context("a list has jobs")
}

fn text<'a>(value: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    value[name].as_str().with_context(|| format!("no {name:?} in {value}"))
}

/// Reads a file of `events/`.
fn event(file: &str) -> anyhow::Result<Value> {
    let path = format!("{}/../events/{file}", env!("CARGO_MANIFEST_DIR"));
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}
