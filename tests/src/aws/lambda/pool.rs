//! Several instances of a function, as Lambda keeps them.

use std::sync::{Arc, Mutex};

use anyhow::Context;
use futures_util::future::try_join_all;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::Function;
use crate::aws::Environment;

/// Instances of a function. Each invocation gets an idle one. Clones are the same pool.
#[derive(Clone)]
pub struct Pool {
    all: Arc<[Arc<Function>]>,
    idle: Arc<Mutex<Vec<Arc<Function>>>>,
    count: Arc<Semaphore>,
}

impl Pool {
    /// Starts the instances.
    ///
    /// # Errors
    /// An instance does not start.
    pub async fn start(name: &str, size: usize, environment: &Environment) -> anyhow::Result<Self> {
        let started = try_join_all((0..size).map(|_| Function::start(name, environment))).await?;
        let all: Vec<Arc<Function>> = started.into_iter().map(Arc::new).collect();
        Ok(Self {
            idle: Arc::new(Mutex::new(all.clone())),
            count: Arc::new(Semaphore::new(size)),
            all: all.into(),
        })
    }

    /// Waits for an idle instance and invokes it. Dropping the future does not stop the invocation.
    ///
    /// # Errors
    /// As [`Function::invoke`].
    pub async fn invoke(&self, event: Value) -> anyhow::Result<Value> {
        let pool = self.clone();
        tokio::spawn(async move { pool.invoke_one(&event).await }).await?
    }

    /// Invokes each instance once, so that all of them are initialised.
    ///
    /// # Errors
    /// As [`Function::invoke`].
    pub async fn warm_up(&self, event: &Value) -> anyhow::Result<()> {
        try_join_all(self.all.iter().map(|_| self.invoke(event.clone()))).await?;
        Ok(())
    }

    /// Returns the instances.
    #[must_use]
    pub fn functions(&self) -> &[Arc<Function>] {
        &self.all
    }

    /// Returns what all instances have printed.
    #[must_use]
    pub fn log(&self) -> String {
        self.all.iter().map(|function| function.log()).collect()
    }

    /// Kills all instances.
    pub fn stop(&self) {
        for function in &*self.all {
            function.stop();
        }
    }

    async fn invoke_one(&self, event: &Value) -> anyhow::Result<Value> {
        let _one = self.count.acquire().await?;
        let function = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        let function = function.context("a permit stands for an idle instance")?;
        let answer = function.invoke(event).await;
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(function);
        }
        answer
    }
}
