//! Figures that alarms need and that no AWS service measures. They are logged in the embedded metric format, and CloudWatch turns
//! them into metrics.

use std::time::Duration;

use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Timestamp;
use callboard_core::job::JobStore;
use serde_json::{Value, json};

const LONG_WAIT: Duration = Duration::from_secs(30 * 60);
/// The highest number of each that is counted.
const MAX_COUNTED: u32 = 100;

/// Counts the jobs that need attention, and logs the counts.
///
/// # Errors
/// The store is unavailable.
pub(crate) async fn log(store: &dyn JobStore, function: &str, now: Timestamp) -> Result<(), StoreError> {
    let found = store.neglected(now - LONG_WAIT, MAX_COUNTED).await?;
    let counts = json!({"DeadLetters": found.dead_letters, "LongWaits": found.long_waits});
    println!("{}", line(function, now, &counts));
    Ok(())
}

fn line(function: &str, now: Timestamp, counts: &Value) -> Value {
    let names = counts.as_object().into_iter().flatten().map(|(name, _)| name);
    let metrics: Vec<Value> = names.map(|name| json!({"Name": name, "Unit": "Count"})).collect();
    let mut line = json!({
        "_aws": {
            "Timestamp": now.as_millis(),
            "CloudWatchMetrics": [
                {"Namespace": "Callboard", "Dimensions": [["FunctionName"]], "Metrics": metrics},
            ],
        },
        "FunctionName": function,
    });
    for (name, count) in counts.as_object().into_iter().flatten() {
        line[name] = count.clone();
    }
    line
}
