//! Hand-written HTTP, for requests that no client would send.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(120);

/// An answer as it was received.
#[derive(Debug)]
pub struct Reply {
    /// The status; 0 if the connection was closed without an answer.
    pub status: u16,
    /// Status line and headers, in lower case.
    pub head: String,
    /// The body; `null` if it is not JSON.
    pub body: Value,
}

impl Reply {
    /// Returns a header, or an empty text if it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(known, _)| *known == name);
        found.next().map(|(_, value)| value).unwrap_or_default()
    }

    /// Returns the last part of the problem's type, or an empty text if the answer is not a problem.
    #[must_use]
    pub fn problem(&self) -> &str {
        let kind = self.body["type"].as_str().unwrap_or_default();
        kind.strip_prefix("urn:callboard:problem:").unwrap_or_default()
    }
}

/// Connects to a service.
///
/// # Errors
/// The service does not accept the connection.
pub async fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let connected = timeout(LIMIT, TcpStream::connect(address)).await;
    connected.context("no connection is taken")?.context("a connection")
}

/// Connects from an address of this machine, with a small receive buffer, so that little unread data fits in it.
///
/// # Errors
/// The service does not accept the connection.
pub async fn connect_from(from: IpAddr, address: SocketAddr) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4096)?;
    socket.bind(SocketAddr::new(from, 0))?;
    let connected = timeout(LIMIT, socket.connect(address)).await;
    connected.context("no connection is taken")?.context("a connection")
}

/// Follows the log of a job from this machine, and reads only the beginning of the answer, which must be 200.
///
/// # Errors
/// The request is refused.
pub async fn stall(address: SocketAddr, job: &str) -> anyhow::Result<TcpStream> {
    let mut stream = connect_from(Ipv4Addr::LOCALHOST.into(), address).await?;
    let line = format!("GET /api/v1/jobs/{job}/logs?follow=true HTTP/1.1");
    stream.write_all(&request(&line, &["Host: localhost"], b"")).await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    ensure!(status == *b"HTTP/1.1 200", "{}", status.escape_ascii());
    Ok(stream)
}

/// Allows this process to open as many connections as a test needs.
///
/// # Errors
/// The system does not allow that many.
pub fn allow_connections(wanted: u64) -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    ensure!(
        allowed >= wanted,
        "this test opens {wanted} files, and {allowed} are allowed"
    );
    let raised = Rlimit {
        current: Some(limit.current.unwrap_or(u64::MAX).max(wanted)),
        ..limit
    };
    Ok(setrlimit(Resource::Nofile, raised)?)
}

/// Sends a request on its own connection and returns the answer.
///
/// # Errors
/// The connection fails, or the answer does not end.
pub async fn ask(address: SocketAddr, request: impl AsRef<[u8]>) -> anyhow::Result<Reply> {
    let mut stream = connect(address).await?;
    // a service may refuse a body without reading it
    drop(
        timeout(LIMIT, stream.write_all(request.as_ref()))
            .await
            .context("the request is not read")?,
    );
    reply(&mut stream).await
}

/// Reads until the connection ends.
///
/// # Errors
/// The connection does not end.
pub async fn reply(stream: &mut TcpStream) -> anyhow::Result<Reply> {
    let mut bytes = Vec::new();
    // a reset connection has ended too
    drop(
        timeout(LIMIT, stream.read_to_end(&mut bytes))
            .await
            .context("the answer does not end")?,
    );
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let (head, body) = bytes.split_at(end.map_or(bytes.len(), |end| end + 4));
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    ensure!(status.is_some() || bytes.is_empty(), "this is no answer: {head}");
    Ok(Reply {
        status: status.unwrap_or(0),
        body: serde_json::from_slice(body).unwrap_or(Value::Null),
        head,
    })
}

/// Builds a request that is the last one on its connection; `headers` are whole lines.
#[must_use]
pub fn request(line: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let head = format!("{line}\r\n{headers}Connection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// Builds a submission of a JSON body, with its length.
#[must_use]
pub fn submission(body: &[u8]) -> Vec<u8> {
    let length = format!("Content-Length: {}", body.len());
    let headers = ["Host: localhost", "Content-Type: application/json", &length];
    request("POST /api/v1/jobs HTTP/1.1", &headers, body)
}
