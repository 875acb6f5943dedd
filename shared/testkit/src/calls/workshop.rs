//! A service that does what the suite of runners asks of jobs.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::serve::Listener;
use callboard_core::base::object::Object;
use callboard_core::job::Job;
use callboard_core::output::{LogStore, Output};
use callboard_core::request::JobRequest;
use callboard_core::run::{Ended, Runner, Stop};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::run::job;
use crate::contract::runner::TestRunner;

/// What a service answers with where a job is to fail: status, headers, body.
pub type Failure = (StatusCode, [(&'static str, &'static str); 2], &'static str);

/// A runner whose jobs call a service. What a job starts there is the service's; it ends with the call, so that a call that is not
/// really broken off is seen.
pub struct Calling {
    runner: Arc<dyn Runner>,
    workshop: Workshop,
    registry: String,
    logs: fn(&Path) -> Arc<dyn LogStore>,
    secret: String,
}

/// The service.
#[derive(Clone)]
struct Workshop {
    /// How many calls go on.
    open: Arc<AtomicUsize>,
    failure: Failure,
}

impl Calling {
    /// Serves on a listener. `registry` has the service `a` with the operation `x`, whose input it answers by; `secret` is one that the
    /// jobs are given.
    pub fn new<L>(
        listener: L,
        failure: Failure,
        runner: Arc<dyn Runner>,
        (registry, secret): (String, &str),
        logs: fn(&Path) -> Arc<dyn LogStore>,
    ) -> Self
    where
        L: Listener,
        L::Addr: std::fmt::Debug,
    {
        let open = Arc::default();
        let workshop = Workshop { open, failure };
        let router = Router::new().fallback(any(work)).with_state(workshop.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            runner,
            workshop,
            registry,
            logs,
            secret: secret.to_owned(),
        }
    }

    fn request(&self, input: &Value) -> JobRequest {
        // what is refused is seen by the suite, which then has no job that does what it asks
        job(&self.registry, input).unwrap_or_default()
    }
}

impl TestRunner for Calling {
    fn runner(&self) -> Arc<dyn Runner> {
        Arc::new(Settled(Arc::clone(&self.runner), Arc::clone(&self.workshop.open)))
    }

    fn logs(&self, folder: &Path) -> Arc<dyn LogStore> {
        (self.logs)(folder)
    }

    fn prints(&self, lines: &[String]) -> JobRequest {
        self.request(&json!({"answer": lines}))
    }

    fn fails(&self) -> JobRequest {
        self.request(&json!({"fail": true}))
    }

    fn leaves(&self, pid_file: &Path) -> JobRequest {
        self.request(&json!({"file": pid_file, "answer": "done"}))
    }

    fn works(&self, pid_file: &Path, deaf: bool) -> JobRequest {
        self.request(&json!({"file": pid_file, "deaf": deaf}))
    }

    fn tells(&self) -> (JobRequest, String) {
        let told = format!("it is {}, you know", self.secret);
        (self.request(&json!({"answer": told})), self.secret.clone())
    }
}

/// A runner whose runs end when the service knows that they have: it learns from a closed connection, a moment later.
struct Settled(Arc<dyn Runner>, Arc<AtomicUsize>);

#[async_trait]
impl Runner for Settled {
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    async fn run(&self, job: &Job, work: Object, output: &Output, stop: Stop) -> Ended {
        let ended = self.0.run(job, work, output, stop).await;
        // a call that the service still works for is seen as a process that lives
        for _ in 0..500 {
            if self.1.load(Ordering::SeqCst) == 0 {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
        ended
    }
}

/// A process that ends with the call that started it.
struct Started(Option<Child>, Arc<AtomicUsize>);

impl Started {
    fn new(file: PathBuf, deaf: bool, open: Arc<AtomicUsize>) -> std::io::Result<Self> {
        open.fetch_add(1, Ordering::SeqCst);
        let trap = if deaf { "trap '' TERM; " } else { "" };
        let script = format!("{trap}while :; do sleep 0.1; done");
        let child = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).spawn();
        let started = Self(child.ok(), open);
        let pid = started
            .0
            .as_ref()
            .and_then(Child::id)
            .ok_or(std::io::ErrorKind::NotFound)?;
        std::fs::write(file, format!("{pid}\n"))?;
        Ok(started)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let (child, open) = (self.0.take(), Arc::clone(&self.1));
        tokio::spawn(async move {
            if let Some(mut child) = child {
                let _killed = child.kill().await;
            }
            open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn work(State(workshop): State<Workshop>, body: Bytes) -> Response {
    let input: Value = serde_json::from_slice(&body).unwrap_or_default();
    let file = input["file"].as_str().map(PathBuf::from);
    let started = file.map(|file| Started::new(file, input["deaf"] == true, Arc::clone(&workshop.open)));
    if input["fail"] == true {
        return workshop.failure.into_response();
    }
    match input.get("answer") {
        Some(answer) => ([("content-type", "application/json")], answer.to_string()).into_response(),
        None => {
            std::future::pending::<()>().await;
            drop(started);
            StatusCode::OK.into_response()
        }
    }
}
