//! The requests that the servers received.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::text;

/// A request, which was logged before its answer was sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which of the part's servers received it: `main`, `http`, `https`, or `other`, which is where redirects lead.
    pub server: String,
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The part after the question mark.
    pub query: String,
    /// The status of the answer; `None` if the server sent no answer.
    pub status: Option<u16>,
    /// Whether the request had the token; `None` if no token is needed.
    pub authorised: Option<bool>,
    /// The headers, with names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The command to `git-upload-pack`, such as `ls-refs` or `fetch`.
    pub command: Option<String>,
    /// The history depth that a `fetch` asks for, in commits.
    pub depth: Option<u64>,
}

/// The request log of a part's servers.
#[derive(Clone, Debug)]
pub struct RequestLog(PathBuf);

impl RequestLog {
    pub(super) fn read(part: &Value) -> anyhow::Result<Self> {
        Ok(Self(text(part, "log")?.into()))
    }

    /// Returns all requests so far, in the order of their answers.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn requests(&self) -> anyhow::Result<Vec<Request>> {
        let text = self.text()?;
        let whole = text.rsplit_once('\n').map_or("", |(whole, _rest)| whole);
        whole.lines().map(read).collect()
    }

    /// Returns the log as text, for searches in everything that clients have sent except bodies.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn text(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(&self.0)?)
    }
}

fn read(line: &str) -> anyhow::Result<Request> {
    let entry: Value = serde_json::from_str(line)?;
    let headers = entry["headers"].as_object().into_iter().flatten();
    let value = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(Request {
        server: text(&entry, "server")?,
        method: text(&entry, "method")?,
        path: text(&entry, "path")?,
        query: text(&entry, "query")?,
        status: entry["status"].as_u64().map(u16::try_from).transpose()?,
        authorised: entry["authorised"].as_bool(),
        headers: headers.map(|(name, text)| (name.clone(), value(text))).collect(),
        command: entry["command"].as_str().map(str::to_owned),
        depth: entry["depth"].as_u64(),
    })
}
