//! The service's log, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::LogFormat;

/// Starts logging at `level`, unless the variable `CALLBOARD_LOG` sets another filter.
pub(crate) fn start(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_from_env("CALLBOARD_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => {
            let lines = tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_target(false)
                .with_ansi(std::io::stderr().is_terminal());
            log.with(lines).init();
        }
        LogFormat::Json => {
            // same format as in the functions: each line has the fields of its spans next to its own
            let lines = json_subscriber::layer()
                .with_writer(std::io::stderr)
                .with_target(false)
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .flatten_span_list_on_top_level(true);
            log.with(lines).init();
        }
    }
}
