//! The content of a message in the jobs queue: the id of the job to execute. A message that events make of the end of a task has a
//! mark, too: it is about an attempt that goes on without a worker, and starts none.

use callboard_core::base::id::JobId;
use serde::Deserialize;

/// What a message asks for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// The job.
    pub job_id: JobId,
    /// Whether the job is only to be looked at.
    #[serde(default)]
    pub look: bool,
}

/// Returns the body of the message for a job: `{"job_id":"<uuid>"}`.
#[must_use]
pub fn write(job: JobId) -> String {
    format!(r#"{{"job_id":"{job}"}}"#)
}

/// Reads the body of a message.
///
/// # Errors
/// The body is something else.
pub fn parse(body: &str) -> Result<Message, serde_json::Error> {
    serde_json::from_str(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() -> Result<(), serde_json::Error> {
        let job = JobId::new();
        let message = |look| Message { job_id: job, look };
        assert_eq!(parse(&write(job))?, message(false));
        let marked = format!(r#"{{"job_id":"{job}","look":true}}"#);
        assert_eq!(parse(&marked)?, message(true));
        Ok(())
    }

    #[test]
    fn anything_else_is_refused() {
        let job = JobId::new();
        for other in [
            String::new(),
            job.to_string(),
            "{}".to_owned(),
            r#"{"job_id":"1"}"#.to_owned(),
            format!(r#"{{"job_id":"{job}","playbook":"site.yml"}}"#),
            format!(r#"[{{"job_id":"{job}"}}]"#),
        ] {
            assert!(parse(&other).is_err(), "{other}");
        }
    }
}
