//! A check whose result is reused for a moment, however often it is asked for.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long a result is reused.
const HOLDS: Duration = Duration::from_secs(2);
/// How long a check may take.
const LIMIT: Duration = Duration::from_secs(10);

/// The last result.
#[derive(Debug, Default)]
pub(crate) struct Lasting(Mutex<Option<(Instant, Option<String>)>>);

impl Lasting {
    /// Returns the fault that the last check found, or that this one finds. Other callers wait for a running check.
    pub(crate) async fn fault(&self, check: impl Future<Output = Option<String>>) -> Option<String> {
        let mut last = self.0.lock().await;
        match &*last {
            Some((at, fault)) if at.elapsed() < HOLDS => fault.clone(),
            _ => {
                let checked = timeout(LIMIT, check).await;
                let silent = |_| Some(format!("it has not answered for {} s", LIMIT.as_secs()));
                let fault = checked.unwrap_or_else(silent);
                *last = Some((Instant::now(), fault.clone()));
                fault
            }
        }
    }
}
