//! A small API client for tests.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, SET_COOKIE};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const END_LIMIT: Duration = Duration::from_secs(300);

/// A client of one service.
#[derive(Clone)]
pub struct Client {
    base: String,
    http: reqwest::Client,
    key: Option<String>,
    cookie: Option<String>,
    csrf_token: Option<String>,
}

/// An answer: its status, and its body as JSON (`null` if it is not JSON).
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The `Content-Type`.
    pub content_type: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Value,
}

impl Client {
    /// Makes a client for a base address such as `http://127.0.0.1:8080`.
    #[must_use]
    pub fn new(base: String) -> Self {
        Self {
            base,
            http: crate::http::client(),
            key: None,
            cookie: None,
            csrf_token: None,
        }
    }

    /// Returns a client that shows a key, or a token, with each request.
    #[must_use]
    pub fn showing(&self, key: &str) -> Self {
        Self {
            key: Some(key.to_owned()),
            ..self.clone()
        }
    }

    /// Begins a session, and returns a client that shows its cookie and its CSRF token as the page of a browser does, and no key.
    ///
    /// # Errors
    /// The session was refused.
    pub async fn begin_session(&self) -> anyhow::Result<Self> {
        let begun = self.send(self.request(Method::POST, "/api/v1/session")).await?;
        ensure!(begun.status == StatusCode::CREATED, "{begun:?}");
        let token = begun.body["csrf_token"].as_str().context("a session has a token")?;
        let cookie = begun.cookie().context("a session has a cookie")?;
        let session = self.with_cookie(cookie);
        Ok(session.with_csrf_token(Some(token)))
    }

    /// Makes an API key, and returns a client that shows it.
    ///
    /// # Errors
    /// The key was refused.
    pub async fn make_key(&self, key: &Value) -> anyhow::Result<Self> {
        let made = self.post("/api/v1/keys", key.to_string()).await?;
        ensure!(made.status == StatusCode::CREATED, "{made:?}");
        Ok(self.showing(made.body["key"].as_str().context("a key")?))
    }

    /// Returns a client that shows a cookie, `NAME=VALUE`, and no key.
    #[must_use]
    pub fn with_cookie(&self, cookie: &str) -> Self {
        Self {
            key: None,
            cookie: Some(cookie.to_owned()),
            ..self.clone()
        }
    }

    /// Returns a client that sends another CSRF token, or none.
    #[must_use]
    pub fn with_csrf_token(&self, token: Option<&str>) -> Self {
        Self {
            csrf_token: token.map(str::to_owned),
            ..self.clone()
        }
    }

    /// Returns the key that the client shows, or an empty text.
    #[must_use]
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }

    /// Returns the cookie that the client shows, or an empty text.
    #[must_use]
    pub fn cookie(&self) -> &str {
        self.cookie.as_deref().unwrap_or_default()
    }

    /// Returns the CSRF token that the client sends, or an empty text.
    #[must_use]
    pub fn csrf_token(&self) -> &str {
        self.csrf_token.as_deref().unwrap_or_default()
    }

    /// Returns a request for the caller to complete and send.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        match &self.csrf_token {
            Some(token) => request.header("x-csrf-token", token),
            None => request,
        }
    }

    /// Gets a path.
    ///
    /// # Errors
    /// The service does not answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(self.request(Method::GET, path)).await
    }

    /// Posts text as JSON.
    ///
    /// # Errors
    /// The service does not answer.
    pub async fn post(&self, path: &str, body: impl Into<String>) -> anyhow::Result<Answer> {
        let request = self
            .request(Method::POST, path)
            .header(CONTENT_TYPE, "application/json")
            .body(body.into());
        self.send(request).await
    }

    /// Posts a request with an idempotency key.
    ///
    /// # Errors
    /// The service does not answer.
    pub async fn post_once(&self, path: &str, key: &str, body: &Value) -> anyhow::Result<Answer> {
        let request = self.request(Method::POST, path).json(body);
        self.send(request.header("idempotency-key", key)).await
    }

    /// Deletes a path.
    ///
    /// # Errors
    /// The service does not answer.
    pub async fn delete(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Sends a request that the caller has built.
    ///
    /// # Errors
    /// The service does not answer.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Answer> {
        answer(request.send().await?).await
    }

    /// Submits a job that is expected to be accepted, and returns its id.
    ///
    /// # Errors
    /// The job was refused.
    pub async fn submit(&self, request: &Value) -> anyhow::Result<String> {
        let answer = self.post("/api/v1/jobs", request.to_string()).await?;
        ensure!(
            answer.status == StatusCode::ACCEPTED,
            "{request} was refused: {answer:?}"
        );
        answer.body["job_id"]
            .as_str()
            .map(str::to_owned)
            .context("an accepted job has an id")
    }

    /// Returns a job's record.
    ///
    /// # Errors
    /// There is no such job.
    pub async fn job(&self, id: &str) -> anyhow::Result<Value> {
        let answer = self.get(&format!("/api/v1/jobs/{id}")).await?;
        ensure!(answer.status == StatusCode::OK, "no record of {id}: {answer:?}");
        Ok(answer.body)
    }

    /// Waits until a job has ended, and returns its record.
    ///
    /// # Errors
    /// It takes too long.
    pub async fn ended(&self, id: &str) -> anyhow::Result<Value> {
        self.until(id, |job| !matches!(job["status"].as_str(), Some("pending" | "running")))
            .await
    }

    /// Waits until a job's record satisfies `wanted`, and returns it.
    ///
    /// # Errors
    /// It takes too long.
    pub async fn until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let deadline = Instant::now() + END_LIMIT;
        loop {
            let job = self.job(id).await?;
            if wanted(&job) {
                return Ok(job);
            }
            let ended = !matches!(job["status"].as_str(), Some("pending" | "running"));
            if ended || Instant::now() > deadline {
                bail!("job {id} stays {job}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Submits a job, waits until it has ended, and returns its record.
    ///
    /// # Errors
    /// The job was refused, or it takes too long.
    pub async fn run(&self, request: &Value) -> anyhow::Result<Value> {
        let id = self.submit(request).await?;
        self.ended(&id).await
    }

    /// Returns all output of a job.
    ///
    /// # Errors
    /// There is no such job.
    pub async fn logs(&self, id: &str) -> anyhow::Result<Vec<u8>> {
        let response = self
            .request(Method::GET, &format!("/api/v1/jobs/{id}/logs"))
            .send()
            .await?;
        Ok(response.error_for_status()?.bytes().await?.to_vec())
    }

    /// Returns all output of one attempt of a job.
    ///
    /// # Errors
    /// There is no such attempt.
    pub async fn log_of(&self, id: &str, attempt: u64) -> anyhow::Result<String> {
        let path = format!("/api/v1/jobs/{id}/logs?attempt={attempt}");
        let response = self.request(Method::GET, &path).send().await?;
        Ok(response.error_for_status()?.text().await?)
    }

    /// Makes an ssh key in a folder and stores it as the credential `key`.
    ///
    /// # Errors
    /// There is no ssh-keygen, or the credential is refused.
    pub async fn store_ssh_key(&self, folder: &Path) -> anyhow::Result<()> {
        let key = folder.join("key");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key)
            .status()?;
        ensure!(made.success(), "{made}");
        let credential = json!({"name": "key", "kind": "ssh", "private_key": std::fs::read_to_string(&key)?});
        let stored = self.post("/api/v1/credentials", credential.to_string()).await?;
        ensure!(stored.status == StatusCode::CREATED, "{stored:?}");
        Ok(())
    }

    /// Returns every event of a job that has ended.
    ///
    /// # Errors
    /// There is no such job.
    pub async fn events(&self, id: &str) -> anyhow::Result<Vec<Value>> {
        let mut events = Vec::new();
        loop {
            let after = events.len();
            let page = self
                .get(&format!("/api/v1/jobs/{id}/events?after={after}&limit=1000"))
                .await?;
            ensure!(page.status == StatusCode::OK, "{page:?}");
            let found = page.body["events"].as_array().cloned().unwrap_or_default();
            let complete = page.body["complete"] == true;
            ensure!(complete || !found.is_empty(), "the job {id} has not ended");
            events.extend(found);
            if complete {
                return Ok(events);
            }
        }
    }
}

impl Answer {
    /// Returns the cookie that the answer sets, `NAME=VALUE`, if it sets one.
    #[must_use]
    pub fn cookie(&self) -> Option<&str> {
        let set = self.headers.get(SET_COOKIE)?.to_str().ok()?;
        set.split(';').next()
    }

    /// Returns a header, or an empty text if it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }
}

/// Returns the hosts that a job's record has counts of, by name.
#[must_use]
pub fn hosts(record: &Value) -> Vec<&str> {
    names(&record["result"]["stats"])
}

/// Returns the names of an object's fields, in order.
#[must_use]
pub fn names(object: &Value) -> Vec<&str> {
    let fields = object.as_object().into_iter().flatten();
    fields.map(|(name, _)| name.as_str()).collect()
}

async fn answer(response: reqwest::Response) -> anyhow::Result<Answer> {
    let status = response.status();
    let headers = response.headers().clone();
    let header = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = header.unwrap_or_default().to_owned();
    let body = serde_json::from_slice(&response.bytes().await?).unwrap_or(Value::Null);
    Ok(Answer {
        status,
        content_type,
        headers,
        body,
    })
}
