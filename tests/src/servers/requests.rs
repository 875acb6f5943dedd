//! What the servers have been asked.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::text;

/// A request, as it was logged before its answer was sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which of a part's servers was asked: `main`, `http`, `https`; `other` is where redirects lead.
    pub server: String,
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// What follows the question mark.
    pub query: String,
    /// The status of the answer; none if the server left the client without one.
    pub status: Option<u16>,
    /// Whether the request had the token; none where it needs none.
    pub authorised: Option<bool>,
    /// The headers, their names in small letters.
    pub headers: BTreeMap<String, String>,
    /// The command to `git-upload-pack`, such as `ls-refs` or `fetch`.
    pub command: Option<String>,
    /// How many commits a `fetch` wants of each history.
    pub depth: Option<u64>,
}

/// The log of a part's servers.
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

    /// Returns the log as it is, to search all that clients have sent but bodies.
    ///
    /// # Errors
    /// It cannot be read.
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
