//! An endpoint that fails as a test says. LocalStack cannot be made to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use aws_sdk_s3::config::{Credentials, Region, SharedCredentialsProvider};
use callboard_aws::{SdkConfig, sdk_config};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a request gets.
pub(crate) enum Answer {
    /// A status and a body.
    Whole(u16, String),
    /// The beginning of a body, before the connection breaks.
    Cut(String),
    /// Nothing: the connection stays open.
    Silence,
    /// Nothing: the connection is closed. The request may well have had its effect.
    Close,
}

/// Returns the product's settings for an endpoint, but for how long an attempt may take.
pub(crate) async fn config(address: &str, attempt: Duration) -> SdkConfig {
    let product = sdk_config().await;
    let timeouts = product.timeout_config().cloned();
    let timeouts = timeouts.map(|timeouts| timeouts.into_builder().operation_attempt_timeout(attempt).build());
    let credentials = Credentials::new("test", "test", None, None, "test");
    let mut config = SdkConfig::builder()
        .endpoint_url(address)
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials));
    config
        .set_http_client(product.http_client())
        .set_behavior_version(product.behavior_version())
        .set_retry_config(product.retry_config().cloned())
        .set_timeout_config(timeouts);
    config.build()
}

/// The endpoint; it is gone when dropped.
pub(crate) struct Fake {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
}

impl Fake {
    /// Answers each request, given as `METHOD TARGET` with the operation where a header names it, and how many came before it.
    pub(crate) async fn start(answer: impl Fn(&str, usize) -> Answer + Send + 'static) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let server = tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let Ok(request) = receive(&mut stream).await else {
                    continue;
                };
                let before = note(&seen, &request);
                match answer(&request, before) {
                    Answer::Whole(status, body) => send(stream, status, body.len(), &body).await,
                    Answer::Cut(body) => send(stream, 206, body.len() + 1, &body).await,
                    Answer::Silence => open.push(stream),
                    Answer::Close => drop(stream),
                }
            }
        });
        Ok(Self {
            address,
            requests,
            server,
        })
    }

    /// Returns the settings of a client of this endpoint, which waits a shorter time than the product.
    pub(crate) async fn config(&self) -> SdkConfig {
        config(&self.address, Duration::from_millis(300)).await
    }

    /// Returns what was asked, in order.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn note(seen: &Mutex<Vec<String>>, request: &str) -> usize {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.push(request.to_owned());
    seen.len() - 1
}

async fn receive(stream: &mut BufReader<TcpStream>) -> anyhow::Result<String> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        if line.trim().is_empty() {
            break;
        }
        head.push(line.to_lowercase());
    }
    let length = head.iter().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.map_or(Ok(0), |length| length.trim().parse())?;
    stream.read_exact(&mut vec![0; length]).await?;
    let request = head.first().and_then(|line| line.strip_suffix(" http/1.1\r\n"));
    let request = request.context("a request line")?;
    let operation = head.iter().find_map(|line| line.strip_prefix("x-amz-target:"));
    Ok(format!("{request}{}", operation.unwrap_or_default().trim_end()))
}

async fn send(mut stream: BufReader<TcpStream>, status: u16, length: usize, body: &str) {
    let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\netag: \"x\"\r\n\r\n");
    drop(stream.write_all((head + body).as_bytes()).await);
}
