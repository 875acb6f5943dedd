//! Reads the emulator's answers.

use anyhow::Context;
use reqwest::StatusCode;
use serde_json::Value;

/// The error of a function that failed, died or took too long.
#[derive(Debug, thiserror::Error)]
#[error("{error_type}: {message}")]
pub struct FunctionError {
    /// Lambda's name for the error, such as `Runtime.ExitError`.
    pub error_type: String,
    /// The error's message.
    pub message: String,
}

/// What a function has streamed.
#[derive(Debug)]
pub struct Streamed {
    /// The status, the headers and the cookies, as JSON.
    pub prelude: Value,
    /// The body.
    pub body: Vec<u8>,
}

/// What is between prelude and body.
const SEPARATOR: [u8; 8] = [0; 8];

/// Reads an answer. The emulator answers with status 200 even if the function failed.
pub(super) fn read(status: StatusCode, body: &[u8]) -> anyhow::Result<Value> {
    let text = String::from_utf8_lossy(body).into_owned();
    if text.starts_with("Task timed out after") {
        return Err(error("Sandbox.Timedout", text).into());
    }
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    if let (Some(kind), Some(message)) = (value["errorType"].as_str(), value["errorMessage"].as_str()) {
        return Err(error(kind, message.to_owned()).into());
    }
    if status != StatusCode::OK {
        return Err(error("Runtime.Unavailable", format!("{status} {text}")).into());
    }
    serde_json::from_slice(body).with_context(|| format!("the function's answer is no JSON: {text}"))
}

/// Reads an answer that was streamed.
pub(super) fn read_streamed(status: StatusCode, answer: &[u8]) -> anyhow::Result<Streamed> {
    let end = answer.windows(SEPARATOR.len()).position(|bytes| bytes == SEPARATOR);
    let Some(end) = end else {
        let answer = read(status, answer)?;
        anyhow::bail!("the answer was not streamed: {answer}");
    };
    Ok(Streamed {
        prelude: serde_json::from_slice(&answer[..end]).context("the prelude is no JSON")?,
        body: answer[end + SEPARATOR.len()..].to_vec(),
    })
}

fn error(error_type: &str, message: String) -> FunctionError {
    FunctionError {
        error_type: error_type.to_owned(),
        message,
    }
}
