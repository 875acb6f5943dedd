//! Reads server-sent events.

use anyhow::{Context, ensure};
use reqwest::{Method, Response};
use serde_json::Value;

use crate::Client;

/// A message of a stream.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// Its type.
    pub event: String,
    /// Its data.
    pub data: Value,
}

/// The stream of a job as a client reads it.
pub struct Stream {
    /// The response, with its headers.
    pub response: Response,
    text: Vec<u8>,
    left: usize,
}

impl Stream {
    /// Begins to stream a job, after the message with the id `last` if there is one.
    ///
    /// # Errors
    /// The service does not answer with a stream.
    pub async fn begin(client: &Client, job: &str, query: &str, last: Option<&str>) -> anyhow::Result<Self> {
        let mut request = client.request(Method::GET, &format!("/api/v1/jobs/{job}/stream{query}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await?;
        let header = response.headers().get("content-type");
        ensure!(
            response.status() == 200 && header.is_some_and(|kind| kind == "text/event-stream"),
            "{response:?}"
        );
        Ok(Self {
            response,
            text: Vec::new(),
            left: usize::MAX,
        })
    }

    /// Loses the connection after so many more bytes.
    #[must_use]
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.left = bytes;
        self
    }

    /// Returns the next message; `None` at the end of the response, or of what is read of it.
    ///
    /// # Errors
    /// The connection is lost, or what is read is no message.
    pub async fn next(&mut self) -> anyhow::Result<Option<Message>> {
        loop {
            while let Some(end) = self.text.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.text.drain(..end + 2).collect();
                if let Some(message) = parse(&block)? {
                    return Ok(Some(message));
                }
            }
            if self.left == 0 {
                return Ok(None);
            }
            let Some(chunk) = self.response.chunk().await? else {
                return Ok(None);
            };
            let read = chunk.len().min(self.left);
            self.left -= read;
            self.text.extend_from_slice(&chunk[..read]);
        }
    }

    /// Returns the next message of a type; others before it are passed over.
    ///
    /// # Errors
    /// The stream ends before it.
    pub async fn next_of(&mut self, event: &str) -> anyhow::Result<Message> {
        loop {
            let message = self.next().await?;
            let message = message.with_context(|| format!("the stream has ended before a message {event}"))?;
            if message.event == event {
                return Ok(message);
            }
        }
    }

    /// Returns all messages to the end of the response.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn rest(&mut self) -> anyhow::Result<Vec<Message>> {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await? {
            messages.push(message);
        }
        Ok(messages)
    }
}

/// Reads the messages of a whole body.
///
/// # Errors
/// Something is no message, or the last one is cut off.
pub fn read(body: &[u8]) -> anyhow::Result<Vec<Message>> {
    let text = std::str::from_utf8(body).context("a stream is UTF-8")?;
    ensure!(text.ends_with("\n\n"), "the last message is cut off: {text:?}");
    let blocks = text.split("\n\n").map(|block| parse(block.as_bytes()));
    blocks.filter_map(Result::transpose).collect()
}

/// Reads a block of lines; comments and what has no data are no messages.
fn parse(block: &[u8]) -> anyhow::Result<Option<Message>> {
    let block = std::str::from_utf8(block).context("a stream is UTF-8")?;
    let field = |name: &str| {
        let mut lines = block.lines().filter_map(|line| line.strip_prefix(name));
        lines.next().and_then(|rest| rest.strip_prefix(": "))
    };
    let Some(data) = field("data") else { return Ok(None) };
    Ok(Some(Message {
        id: field("id").context("a message has an id")?.to_owned(),
        event: field("event").context("a message has a type")?.to_owned(),
        data: serde_json::from_str(data).with_context(|| format!("{data:?} is no JSON"))?,
    }))
}

/// Joins the output of an attempt that messages show, each part once and in its place.
///
/// # Errors
/// Something is missing or there twice.
pub fn log(messages: &[Message], attempt: u64) -> anyhow::Result<String> {
    let mut text = String::new();
    for message in messages
        .iter()
        .filter(|message| message.event == "log" && message.data["attempt"] == attempt)
    {
        ensure!(
            message.data["offset"] == text.len(),
            "{} bytes were shown before {message:?}",
            text.len()
        );
        text.push_str(message.data["text"].as_str().context("output is text")?);
    }
    Ok(text)
}

/// Returns the events of an attempt that messages show.
#[must_use]
pub fn events(messages: &[Message], attempt: u64) -> Vec<Value> {
    let shown = messages
        .iter()
        .filter(|message| message.event == "event" && message.data["attempt"] == attempt);
    shown.map(|message| message.data["event"].clone()).collect()
}

/// Reads the stream of a job to its end, connecting again, as often as it takes, after the last message that it got. Each connection is lost after
/// as many bytes as `cut` says. Returns the messages, and how many connections there were.
///
/// # Errors
/// The service does not answer with a stream, or the stream ends without an end.
pub async fn whole(
    client: &Client,
    job: &str,
    query: &str,
    mut cut: impl FnMut() -> usize,
) -> anyhow::Result<(Vec<Message>, usize)> {
    let (mut messages, mut connections) = (Vec::new(), 0);
    loop {
        let last = messages.last().map(|message: &Message| message.id.as_str());
        let mut stream = Stream::begin(client, job, query, last).await?.cut_after(cut());
        connections += 1;
        messages.extend(stream.rest().await?);
        let end = messages.last().filter(|message| message.event == "end");
        if end.is_some_and(|end| matches!(end.data["reason"].as_str(), Some("ended" | "attempt_ended"))) {
            return Ok((messages, connections));
        }
    }
}
