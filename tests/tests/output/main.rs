//! All output, in order, exactly once, whatever its size and whatever its bytes.

mod much;
mod raw;

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::Value;

/// How much output a record shows.
pub(crate) const RECORD_BYTES: usize = 256 * 1024;

/// Checks a record against all that its job has printed.
pub(crate) fn check_record(job: &Value, printed: &[u8]) -> anyhow::Result<()> {
    let result = &job["result"];
    ensure!(result["stdout_bytes"] == printed.len(), "{}", result["stdout_bytes"]);
    ensure!(result["stdout_truncated"] == (printed.len() > RECORD_BYTES));
    let mut end = &printed[printed.len().saturating_sub(RECORD_BYTES)..];
    while printed.len() > RECORD_BYTES && end.first().is_some_and(|byte| byte & 0xc0 == 0x80) {
        end = &end[1..];
    }
    ensure!(
        result["stdout"] == *String::from_utf8_lossy(end),
        "the record has not the output's end"
    );
    Ok(())
}

/// Reads the manifest of a job's only attempt.
pub(crate) fn manifest(data: &Path, id: &str) -> anyhow::Result<Value> {
    let text = fs::read(data.join("logs").join(id).join("1/manifest.json")).context("no manifest")?;
    Ok(serde_json::from_slice(&text)?)
}
