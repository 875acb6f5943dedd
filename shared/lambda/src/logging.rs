//! The functions' log: JSON lines on standard output, which Lambda sends to CloudWatch. Each line has the fields of its
//! spans (the request's id and the job's id) next to its own.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging at `info`, or as the variable `CALLBOARD_LOG` says.
///
/// A level applies to Callboard's own lines. Libraries stay at `info`: at lower levels they log whole requests,
/// including secrets.
pub fn start_logging() {
    let asked = std::env::var("CALLBOARD_LOG").unwrap_or_default();
    let lines = json_subscriber::layer()
        .with_target(false)
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .flatten_span_list_on_top_level(true);
    tracing_subscriber::registry().with(filter(&asked)).with(lines).init();
}

fn filter(asked: &str) -> EnvFilter {
    let filter = match asked.parse::<LevelFilter>() {
        Ok(level) if !asked.is_empty() => {
            let libraries = level.min(LevelFilter::INFO);
            let own = ["callboard", "submit", "query", "worker", "caller", "notify"]
                .map(|target| format!(",{target}={level}"));
            EnvFilter::try_new(format!("{libraries}{}", own.concat()))
        }
        _ => EnvFilter::try_new(if asked.is_empty() { "info" } else { asked }),
    };
    filter.unwrap_or_else(|_| EnvFilter::new("info"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_makes_no_library_talk() {
        let trace = filter("trace").to_string();
        assert!(trace.contains("callboard=trace") && trace.contains("info"), "{trace}");
        assert!(filter("error").to_string().contains("callboard=error"));
        assert_eq!(filter("").to_string(), "info");
    }
}
