//! Reads what a task's container has printed from CloudWatch Logs.

use std::time::{Duration, Instant};

use callboard_core::base::store_error::StoreError;
use callboard_core::output::{Beginning, LastBytes, Output};
use callboard_kind_service::output::MAX_PRINTED_BYTES;
use serde::Deserialize;
use serde_json::json;

use crate::api::{Aws, Fault, Service};

/// How long what a task has printed at its end may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_secs(1);
/// For how long it is read at most: less than a function may run.
const LONGEST_READ: Duration = Duration::from_secs(600);

/// Where a container's output is.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) group: String,
    pub(crate) region: String,
    /// The stream's name without the task's id.
    pub(crate) stream: String,
}

/// What was read.
#[derive(Default)]
pub(crate) struct Printed {
    pub(crate) stdout: Beginning,
    /// Its end.
    pub(crate) tail: LastBytes,
    /// Why there may be more, as a part of a sentence.
    pub(crate) unread: Option<String>,
}

impl Printed {
    async fn take(&mut self, text: &[u8], printing: &mut Printing<'_>) -> Result<(), StoreError> {
        let known = usize::try_from(printing.already).unwrap_or(usize::MAX).min(text.len());
        printing.already -= known as u64;
        if known < text.len() {
            printing.output.stdout(&text[known..]).await?;
        }
        self.stdout.take(text, MAX_PRINTED_BYTES);
        self.tail.take(text);
        Ok(())
    }
}

/// Where the output goes.
pub(crate) struct Printing<'a> {
    pub(crate) output: &'a Output,
    /// How many bytes of it are there already.
    pub(crate) already: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    events: Vec<LogEvent>,
    next_forward_token: Option<String>,
}

#[derive(Deserialize)]
struct LogEvent {
    #[serde(default)]
    message: String,
}

/// Reads the output of a task into that of the job. `ended_for` is how long ago the task ended.
///
/// # Errors
/// The log store refuses a write.
pub(crate) async fn read(
    aws: &Aws<'_>,
    source: &Source,
    task_id: &str,
    ended_for: Duration,
    mut printing: Printing<'_>,
) -> Result<Printed, StoreError> {
    let aws = Aws {
        region: source.region.clone(),
        ..*aws
    };
    let mut printed = Printed::default();
    let mut token = None::<String>;
    let (began, mut before) = (Instant::now(), printing.output.size().await);
    let mut waits = ARRIVAL.saturating_sub(ended_for);
    loop {
        let input = json!({
            "logGroupName": source.group, "logStreamName": format!("{}/{task_id}", source.stream), "startFromHead": true,
        });
        let input = match &token {
            Some(token) => with(input, "nextToken", token),
            None => input,
        };
        let page = match aws.call::<Page>(Service::Logs, "GetLogEvents", &input).await {
            Ok(page) => page,
            // a container that prints nothing has no stream
            Err(fault) if fault.is("ResourceNotFoundException") => Page {
                events: Vec::new(),
                next_forward_token: None,
            },
            Err(fault) => {
                printed.unread = Some(Fault::into_told(fault));
                return Ok(printed);
            }
        };
        let is_new = printing.already == 0;
        for event in &page.events {
            printed
                .take(format!("{}\n", event.message).as_bytes(), &mut printing)
                .await?;
        }
        let kept = printing.output.size().await;
        if is_new && !page.events.is_empty() && kept == before {
            // the log of a job has a limit, which it has reached
            return Ok(printed);
        }
        before = kept;
        if began.elapsed() > LONGEST_READ {
            printed.unread = Some(format!(
                "there was more than {} s are enough to read",
                LONGEST_READ.as_secs()
            ));
            return Ok(printed);
        }
        let is_end = page.events.is_empty() && (page.next_forward_token.is_none() || page.next_forward_token == token);
        if is_end && waits.is_zero() {
            return Ok(printed);
        }
        if is_end {
            tokio::time::sleep(PAUSE).await;
            waits = waits.saturating_sub(PAUSE);
        }
        token = page.next_forward_token.or(token);
    }
}

fn with(mut input: serde_json::Value, name: &str, value: &str) -> serde_json::Value {
    input[name] = value.into();
    input
}
