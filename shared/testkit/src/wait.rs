//! Waits for conditions that must become true.

use std::time::{Duration, Instant};

use anyhow::bail;

const LIMIT: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until a condition holds.
///
/// # Errors
/// It takes longer than two minutes; the error says what the test was waiting for.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        if Instant::now() > deadline {
            bail!("waited in vain until {what}");
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Waits until a condition holds that is found out with effort.
///
/// # Errors
/// It takes longer than two minutes, or cannot be found out.
pub async fn until_async(what: &str, mut holds: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !holds().await? {
        if Instant::now() > deadline {
            bail!("waited in vain until {what}");
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
