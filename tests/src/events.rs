//! Checks that apply to the events of every job.

use anyhow::{Context, ensure};
use serde_json::Value;

/// Checks that events are numbered without gaps and that together they reproduce the log, line by line.
///
/// # Errors
/// The check fails; the error names the first wrong event.
pub fn check(events: &[Value], log: &[u8]) -> anyhow::Result<()> {
    let log = String::from_utf8_lossy(log);
    let lines: Vec<&str> = log.split('\n').collect();
    let mut line = 0;
    for (index, event) in events.iter().enumerate() {
        ensure!(event["counter"] == index + 1, "event {} is {event}", index + 1);
        ensure!(event["start_line"] == line, "a gap before line {line}: {event}");
        let end = event["end_line"].as_u64().context("an event has an end")?;
        let end = usize::try_from(end)?;
        let told = event["stdout"].as_str().context("an event has output")?;
        let printed = lines.get(line..end).context("an event ends within the log")?.join("\n");
        let printed = printed.trim_end_matches(['\r', '\n']);
        let cut = event["stdout_truncated"] == true;
        ensure!(
            told == printed || cut && printed.starts_with(told),
            "{event}: {printed:?}"
        );
        line = end;
    }
    ensure!(
        line + 1 == lines.len(),
        "the events end at line {line} of {}",
        lines.len() - 1
    );
    Ok(())
}

/// Returns the events of a kind, such as `runner_on_ok`.
#[must_use]
pub fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}
