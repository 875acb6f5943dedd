//! Calls an operation, unless its service is down, and the one that stands in for it where it fails.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use callboard_core::base::object::Object;
use callboard_core::base::time::{Clock, Timestamp};
use callboard_core::job::{Job, JobStatus, Outcome, Usage};
use callboard_core::output::Output;
use callboard_core::request::Reason;
use callboard_core::run::{Ended, Runner, Stop};
use callboard_kind_service::detail::{
    CIRCUIT_OPEN, Detail, FUNCTION_ERROR, HTTP_STATUS, ISOLATION_UNAVAILABLE, OUTPUT_INVALID, SERVICE_UNREACHABLE,
    TRANSIENT,
};
use callboard_kind_service::events::Events;
use callboard_kind_service::request::{Call, FallbackCall, ServiceRequest};
use serde_json::json;

use crate::breakers::Breakers;

/// What the runners of calls share.
struct Shared {
    runners: Vec<Arc<dyn Runner>>,
    breakers: Breakers,
    clock: Arc<dyn Clock>,
}

/// Executes calls of one execution type by a runner of that type.
pub struct Calls {
    kind: &'static str,
    shared: Arc<Shared>,
}

impl Calls {
    /// Returns runners that respect breakers and fallbacks, one for each of these.
    #[must_use]
    pub fn of(runners: Vec<Arc<dyn Runner>>, breakers: Breakers, clock: Arc<dyn Clock>) -> Vec<Arc<dyn Runner>> {
        let kinds: Vec<&'static str> = runners.iter().map(|runner| runner.kind()).collect();
        let shared = Arc::new(Shared {
            runners,
            breakers,
            clock,
        });
        let calls = kinds.into_iter().map(|kind| {
            let shared = Arc::clone(&shared);
            Arc::new(Self { kind, shared }) as Arc<dyn Runner>
        });
        calls.collect()
    }
}

#[async_trait]
impl Runner for Calls {
    fn kind(&self) -> &'static str {
        self.kind
    }

    async fn run(&self, job: &Job, work: Object, output: &Output, stop: Stop) -> Ended {
        // its runner says what is wrong with a request that cannot be read
        let Ok(request) = ServiceRequest::of_work(work.clone()) else {
            return self.shared.execute(self.kind, job, work, output, stop).await;
        };
        let events = Events::new(output);
        let mut ended = self.shared.call(&request, job, work, output, stop.clone()).await;
        let mut failed = &request.call;
        if self.shared.detaches(failed) {
            return ended;
        }
        while let Some(fallback) = failed.fallback.as_deref().filter(|_| may_be_replaced(&ended, failed)) {
            if self.shared.detaches(&fallback.call) {
                break;
            }
            let facts = json!({"called": fallback.title(), "error": ended.outcome.error});
            if events.tell("call_replaced", facts).await.is_err() {
                break;
            }
            ended = self.shared.replace(&request, fallback, job, output, stop.clone()).await;
            failed = &fallback.call;
        }
        ended
    }
}

impl Shared {
    /// Calls an operation, unless its service is down, and notes how that ended.
    async fn call(&self, request: &ServiceRequest, job: &Job, work: Object, output: &Output, stop: Stop) -> Ended {
        let call = &request.call;
        let kind = call.runner_config.execution_type().as_str();
        let Some(rule) = call.circuit_breaker.map(|breaker| breaker.rule()) else {
            return self.execute(kind, job, work, output, stop).await;
        };
        if job.state.detached.is_none()
            && let Some(until) = self.breakers.refusal(&job.tenant, &request.service, rule).await
        {
            return self.refused(request, job, until);
        }
        let ended = self.execute(kind, job, work, output, stop).await;
        if !ended.stopped && !ended.short && ended.detached.is_none() && was_contacted(&ended.outcome) {
            let down = says_that_it_is_down(&ended.outcome);
            self.breakers.note(&job.tenant, &request.service, down, rule).await;
        }
        ended
    }

    /// Calls the operation that stands in for another one. It is called once: another attempt would begin with the first operation.
    async fn replace(
        &self,
        request: &ServiceRequest,
        fallback: &FallbackCall,
        job: &Job,
        output: &Output,
        stop: Stop,
    ) -> Ended {
        let request = ServiceRequest {
            service: fallback.service.clone(),
            operation: fallback.operation.clone(),
            call: fallback.call.clone(),
            ..request.clone()
        };
        let work = Object::of(&request);
        let mut ended = self.call(&request, job, work, output, stop).await;
        ended.again = None;
        let title = fallback.title();
        ended.outcome.detail.0.insert("replaced_by".to_owned(), title.into());
        ended
    }

    /// Ends a call of a service that is down: it is tried again when that may be over, if the operation is tried again at all.
    fn refused(&self, request: &ServiceRequest, job: &Job, until: Timestamp) -> Ended {
        let service = &request.service;
        let error = format!("The service {service} is down, and is not called before {until}.");
        let left = until.since(self.clock.now()).max(Duration::from_secs(1));
        let again = request.call.again(job.retries(), &CIRCUIT_OPEN, false, Some(left));
        let outcome = Outcome {
            detail: Object::of(&Detail {
                no_effect: true,
                ..Detail::default()
            }),
            usage: Some(Usage::default()),
            ..Outcome::failed(CIRCUIT_OPEN, error)
        };
        Ended {
            again,
            ..Ended::with(outcome)
        }
    }

    fn runner(&self, kind: &str) -> Option<&Arc<dyn Runner>> {
        self.runners.iter().find(|runner| runner.kind() == kind)
    }

    /// Returns whether a call goes on without a worker. Nothing stands in for such a call, nor does it for another: the next look at it
    /// would have to know which of them is looked at, and what each has printed.
    fn detaches(&self, call: &Call) -> bool {
        let runner = self.runner(call.runner_config.execution_type().as_str());
        runner.is_some_and(|runner| runner.detaches())
    }

    async fn execute(&self, kind: &str, job: &Job, work: Object, output: &Output, stop: Stop) -> Ended {
        match self.runner(kind) {
            Some(runner) => {
                let ended = runner.run(job, work, output, stop).await;
                if job.state.detached.is_none() {
                    told_of_effect(ended)
                } else {
                    ended
                }
            }
            None => Ended::with(Outcome::failed(
                Reason::RUNNER_ERROR,
                format!("This worker cannot run calls of the execution type {kind}."),
            )),
        }
    }
}

/// Returns whether another operation may be called instead: the call has failed for good, and its effect has not happened, or does no
/// harm.
fn may_be_replaced(ended: &Ended, call: &Call) -> bool {
    let failed = ended.outcome.status == JobStatus::Failed && !ended.stopped && !ended.short && ended.again.is_none();
    failed && (call.idempotent || detail(&ended.outcome).no_effect)
}

/// Notes in a result that nothing was sent or started, where the reason says so.
fn told_of_effect(mut ended: Ended) -> Ended {
    let before = [
        Reason::SOURCE_UNAVAILABLE,
        Reason::CREDENTIAL_UNAVAILABLE,
        Reason::REQUEST_INVALID,
        ISOLATION_UNAVAILABLE,
    ];
    if ended
        .outcome
        .reason
        .as_ref()
        .is_some_and(|reason| before.contains(reason))
    {
        ended.outcome.detail.0.insert("no_effect".to_owned(), true.into());
    }
    ended
}

/// Returns whether a call has reached its service, or tried to: only then its end says how the service is.
fn was_contacted(outcome: &Outcome) -> bool {
    let contacted = [HTTP_STATUS, SERVICE_UNREACHABLE, FUNCTION_ERROR, OUTPUT_INVALID];
    outcome.reason.as_ref().is_none_or(|reason| contacted.contains(reason))
}

/// Returns whether a failure says that the service is down: it cannot be reached, does not answer in time, or says so.
fn says_that_it_is_down(outcome: &Outcome) -> bool {
    match &outcome.reason {
        Some(reason) if *reason == SERVICE_UNREACHABLE => true,
        Some(reason) if *reason == HTTP_STATUS => {
            let status = detail(outcome).status_code;
            status.is_some_and(|status| TRANSIENT.contains(&status))
        }
        _ => false,
    }
}

fn detail(outcome: &Outcome) -> Detail {
    outcome.detail.read().unwrap_or_default()
}
