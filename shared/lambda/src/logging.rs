//! The functions' log: JSON lines on standard output, which Lambda takes to CloudWatch.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging at `info`, or as the variable `CALLBOARD_LOG` says.
///
/// A level is that of Callboard's own lines. Libraries stay at `info`: below it they log requests with all that is in
/// them, secrets too.
pub fn start_logging() {
    let asked = std::env::var("CALLBOARD_LOG").unwrap_or_default();
    tracing_subscriber::fmt()
        .with_env_filter(filter(&asked))
        .with_target(false)
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .init();
}

fn filter(asked: &str) -> EnvFilter {
    let filter = match asked.parse::<LevelFilter>() {
        Ok(level) if !asked.is_empty() => {
            let libraries = level.min(LevelFilter::INFO);
            let own = ["callboard", "submit", "query", "worker"].map(|target| format!(",{target}={level}"));
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
