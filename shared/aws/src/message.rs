//! The content of a message in the jobs queue: the id of the job to execute, and nothing else.

use callboard_core::base::id::JobId;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    job_id: JobId,
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
pub fn parse(body: &str) -> Result<JobId, serde_json::Error> {
    serde_json::from_str(body).map(|message: Message| message.job_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() -> Result<(), serde_json::Error> {
        let job = JobId::new();
        assert_eq!(parse(&write(job))?, job);
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
