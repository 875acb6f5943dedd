//! The functions' log: JSON lines on standard output, which Lambda takes to CloudWatch.

use tracing_subscriber::EnvFilter;

/// Starts logging at `info`, or as the variable `CALLBOARD_LOG` says.
pub fn start_logging() {
    let filter = EnvFilter::try_from_env("CALLBOARD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .json()
        .flatten_event(true)
        .init();
}
