//! Finds out what invoked the function.

use aws_lambda_events::sqs::SqsEvent;
use callboard_core::base::id::JobId;
use callboard_core::base::time::{Clock, SystemClock, Timestamp};
use callboard_lambda::is_http;
use serde::Deserialize;
use serde_json::{Value, json};

/// What invoked the function.
#[derive(Debug)]
pub enum Trigger {
    /// API Gateway, with a client's request.
    Http(Value),
    /// EventBridge or its Scheduler, with a job request.
    Event(JobEvent),
    /// SQS, with messages from other systems.
    Messages(SqsEvent),
    /// Somebody who may invoke the function, with an API key to make.
    CreateKey(Value),
    /// The schedule that makes the function look for lost and forgotten jobs.
    Sweep,
}

/// A job request that came with an event.
#[derive(Debug)]
pub struct JobEvent {
    /// The id of its job, which is the same for every delivery of the event.
    pub id: JobId,
    /// The job request.
    pub request: Value,
}

/// The fields of an EventBridge event that matter here.
#[derive(Deserialize)]
struct Envelope {
    id: String,
    time: Timestamp,
    #[serde(rename = "detail-type")]
    detail_type: String,
    #[serde(default)]
    resources: Vec<String>,
    detail: Value,
}

/// The input of a schedule, in the form that the template writes with the Scheduler's context attributes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scheduled {
    schedule_arn: String,
    scheduled_time: Timestamp,
    job: Value,
}

impl Trigger {
    /// Reads an event.
    ///
    /// # Errors
    /// The event is of a known kind, but incomplete.
    pub fn of(event: Value) -> Result<Self, serde_json::Error> {
        if is_http(&event) {
            return Ok(Self::Http(event));
        }
        if event["Records"].is_array() {
            return serde_json::from_value(event).map(Self::Messages);
        }
        if event == json!({"callboard": "sweep"}) {
            return Ok(Self::Sweep);
        }
        if let Some(body) = event.get("create_key") {
            return Ok(Self::CreateKey(body.clone()));
        }
        if event["detail-type"].is_string() {
            return serde_json::from_value(event).map(|envelope: Envelope| Self::Event(envelope.into()));
        }
        if event["schedule_arn"].is_string() {
            return serde_json::from_value(event).map(|scheduled: Scheduled| Self::Event(scheduled.into()));
        }
        Ok(Self::Event(JobEvent {
            id: JobId::new(),
            request: event,
        }))
    }
}

impl From<Envelope> for JobEvent {
    /// EventBridge may send an event more than once, and a scheduled rule may fire twice for the same time.
    fn from(envelope: Envelope) -> Self {
        let key = if envelope.detail_type == "Scheduled Event" {
            envelope.resources.join(" ")
        } else {
            envelope.id
        };
        Self::new(envelope.time, &key, envelope.detail)
    }
}

impl From<Scheduled> for JobEvent {
    fn from(scheduled: Scheduled) -> Self {
        Self::new(scheduled.scheduled_time, &scheduled.schedule_arn, scheduled.job)
    }
}

impl JobEvent {
    /// Several targets of one event may ask for different jobs, so the request is part of the text that the job's id is made from.
    fn new(at: Timestamp, key: &str, request: Value) -> Self {
        Self {
            id: job_id(at, &format!("{key}\n{request}")),
            request,
        }
    }
}

/// Makes the id of the job that an event requests.
pub fn job_id(at: Timestamp, key: &str) -> JobId {
    let now = SystemClock.now();
    if at > now + JobId::MAX_EVENT_AHEAD || at < now - JobId::MAX_EVENT_AGE {
        tracing::warn!(
            event.time = at.as_millis(),
            "the event's time is too far from the present; if the event is delivered again, it makes another job"
        );
        return JobId::new();
    }
    JobId::of_event(at, key)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_schedule_that_fires_twice_for_one_time_names_one_job() -> Result<(), serde_json::Error> {
        let now = SystemClock.now();
        let fired = |time: Timestamp, id: &str| {
            let event = json!({
                "version": "0", "id": id, "detail-type": "Scheduled Event", "source": "aws.events",
                "account": "123456789012", "time": time.to_string(), "region": "eu-central-1",
                "resources": ["arn:aws:events:eu-central-1:123456789012:rule/nightly"], "detail": {"playbook": "a.yml"},
            });
            job(event)
        };
        let far = now + Duration::from_secs(400 * 24 * 3600);
        let first = fired(now, "1")?;
        assert_eq!(first, fired(now, "2")?);
        assert_ne!(fired(far, "1")?, fired(far, "1")?);
        assert_ne!(first, fired(now - Duration::from_secs(3600), "1")?);
        Ok(())
    }

    #[test]
    fn an_input_of_a_schedule_with_an_unknown_field_is_refused() {
        let event = json!({"schedule_arn": "arn", "scheduled_time": "2026-11-21T02:00:00Z", "job": {}, "extra": 1});
        assert!(Trigger::of(event).is_err());
    }

    fn job(event: Value) -> Result<JobId, serde_json::Error> {
        match Trigger::of(event)? {
            Trigger::Event(event) => Ok(event.id),
            other => Err(serde::de::Error::custom(format!("{other:?}"))),
        }
    }
}
