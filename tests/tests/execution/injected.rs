//! A fault at every call of every port: whatever call fails, and however, a job that was accepted ends once, runs no more
//! often than it may, and its log is complete or says that it is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use async_trait::async_trait;
use callboard_core::access::Requester;
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::object::Object;
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::Clock;
use callboard_core::job::{Job, JobStatus, Outcome};
use callboard_core::output::{Check, LogKey, Output, Stream};
use callboard_core::request::Reason;
use callboard_core::run::{Ended, Runner, Stop};
use callboard_core::submit::{Once, SubmitError, Submitter};
use callboard_tests::aws::Resources;
use callboard_tests::contract::samples::{ids, query, success, tenant};
use callboard_tests::faults::{Fault, Faults};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::site::{SILENCE, Site};

/// More calls than a job's life takes.
const MOST_CALLS: usize = 300;
/// More rounds of receiving and sweeping than any fault costs.
const MOST_ROUNDS: u32 = 60;
const CLIENT_LIMIT: Duration = Duration::from_millis(100);
const PRINTED: [&str; 3] = ["one\n", "two\n", "three\n"];

/// Prints, and ends as said on each of its starts; counts them, and how many of them there were at once.
#[derive(Default)]
struct Counting {
    starts: AtomicU32,
    at_once: AtomicU32,
    most_at_once: AtomicU32,
    /// So many starts break, so that the job may be tried again.
    breaks: u32,
    /// It works until it is stopped.
    works: bool,
}

struct Present<'a>(&'a AtomicU32);

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Runner for Counting {
    fn kind(&self) -> &'static str {
        "ansible"
    }

    async fn run(&self, _job: &Job, _work: Object, output: &Output, mut stop: Stop) -> Ended {
        let start = self.starts.fetch_add(1, Ordering::SeqCst) + 1;
        let here = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(here, Ordering::SeqCst);
        let _present = Present(&self.at_once);
        for line in PRINTED {
            drop(output.stdout(line.as_bytes()).await);
            tokio::time::sleep(Duration::from_millis(12)).await;
        }
        if self.works {
            stop.requested().await;
        }
        let broken = Outcome::failed(Reason::RUNNER_ERROR, "Something broke.");
        Ended {
            stopped: self.works,
            ..Ended::with(if start <= self.breaks { broken } else { success() })
        }
    }
}

/// What a job is asked to be, and what may become of it.
#[derive(Clone, Copy, Debug)]
struct Case {
    max_attempts: u32,
    breaks: u32,
    cancel: bool,
    /// How many jobs there are. More than one have the same concurrency key.
    jobs: usize,
}

const ONCE: Case = Case {
    max_attempts: 1,
    breaks: 0,
    cancel: false,
    jobs: 1,
};
const TWICE: Case = Case {
    max_attempts: 2,
    breaks: 1,
    cancel: false,
    jobs: 1,
};
const CANCELED: Case = Case {
    max_attempts: 1,
    breaks: 0,
    cancel: true,
    jobs: 1,
};

const TWO_WITH_A_KEY: Case = Case { jobs: 2, ..ONCE };

#[tokio::test]
async fn jobs_with_a_concurrency_key_survive_a_fault_at_any_call() -> anyhow::Result<()> {
    let faults = [Fault::Down, Fault::KilledBefore, Fault::KilledAfter];
    at_every_call(TWO_WITH_A_KEY, &faults, async || Site::open()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_with_a_concurrency_key_on_aws_survive_that_whoever_calls_is_killed() -> anyhow::Result<()> {
    let resources = Resources::create().await?;
    at_every_call(TWO_WITH_A_KEY, &[Fault::KilledAfter], async || {
        Site::open_on_aws(&resources)
    })
    .await
}

#[tokio::test]
async fn a_job_that_runs_once_survives_a_fault_at_any_call() -> anyhow::Result<()> {
    at_every_call(ONCE, &Fault::ALL, async || Site::open()).await
}

#[tokio::test]
async fn a_job_that_runs_again_survives_a_fault_at_any_call() -> anyhow::Result<()> {
    at_every_call(TWICE, &Fault::ALL, async || Site::open()).await
}

#[tokio::test]
async fn a_job_that_is_canceled_survives_a_fault_at_any_call() -> anyhow::Result<()> {
    at_every_call(CANCELED, &Fault::ALL, async || Site::open()).await
}

/// On DynamoDB and S3, fewer kinds of faults: each run takes long there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_on_aws_survives_a_fault_at_any_call() -> anyhow::Result<()> {
    let resources = Resources::create().await?;
    let faults = [Fault::Down, Fault::Mute, Fault::KilledBefore, Fault::KilledAfter];
    at_every_call(ONCE, &faults, async || Site::open_on_aws(&resources)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_on_aws_that_runs_again_survives_its_worker_killed_at_any_call() -> anyhow::Result<()> {
    let resources = Resources::create().await?;
    at_every_call(TWICE, &[Fault::KilledAfter], async || Site::open_on_aws(&resources)).await
}

/// Lives a job's life once for each call of it and each fault, until there is no such call.
async fn at_every_call(
    case: Case,
    faults: &[Fault],
    site: impl AsyncFn() -> anyhow::Result<Site>,
) -> anyhow::Result<()> {
    for fault in faults {
        for number in 0..=MOST_CALLS {
            ensure!(number < MOST_CALLS, "a life has more calls than {MOST_CALLS}");
            let faults = Faults::call(number, *fault);
            let lived = live(case, &site().await?, &faults).await;
            let calls = faults.calls();
            lived.with_context(|| format!("{case:?}, {fault:?} at call {number} of {calls:?}"))?;
            if faults.struck() == 0 {
                break;
            }
        }
    }
    Ok(())
}

async fn live(case: Case, sound: &Site, faults: &Faults) -> anyhow::Result<()> {
    let site = sound.clone().with(faults);
    let tenant = tenant();
    let mut jobs = Vec::new();
    for number in 0..case.jobs {
        jobs.push(accepted(case, number, &tenant, &site, faults).await?);
    }
    let runner = Arc::new(Counting {
        breaks: case.breaks,
        works: case.cancel,
        ..Counting::default()
    });
    let mut canceled = false;
    for _ in 0..MOST_ROUNDS {
        let mut left = 0;
        for id in &jobs {
            left += usize::from(!sound.state(*id).await?.status.is_final());
        }
        if left == 0 {
            let page = sound.store.list(&query(&tenant), sound.clock.now()).await?;
            jobs.reverse();
            ensure!(ids(&page) == jobs, "there are {:?}, not {jobs:?} alone", ids(&page));
            for id in jobs {
                check(case, sound, faults, id, &runner).await?;
            }
            return Ok(());
        }
        let cancel = async {
            if case.cancel && !canceled {
                canceled = cancel_when_running(sound, &site, jobs[0]).await;
            }
        };
        tokio::join!(round(&site, faults, &runner), cancel).0?;
        site.clock.advance(SILENCE / 3);
    }
    bail!("the job stays {:?}", sound.state(jobs[case.jobs - 1]).await?)
}

/// Submits as a client does that knows nothing of what went wrong: again and again, with the same key.
async fn accepted(case: Case, number: usize, tenant: &Tenant, site: &Site, faults: &Faults) -> anyhow::Result<JobId> {
    let mut body = json!({"playbook": "site.yml", "options": {"max_attempts": case.max_attempts}});
    if case.jobs > 1 {
        body["options"]["concurrency_key"] = json!("host:db1");
    }
    let once = Once {
        key: format!("key-{number}").parse()?,
        wait: Duration::ZERO,
    };
    for _ in 0..MOST_ROUNDS {
        let submitter = site.submitter();
        let submitted = tokio::select! {
            submitted = submit(&submitter, tenant, &body, &once) => submitted,
            () = faults.killed() => continue,
        };
        match submitted {
            Ok(id) => return Ok(id),
            Err(SubmitError::Store(error)) if error.is_retryable() => {}
            Err(SubmitError::InFlight) => site.clock.advance(Duration::from_secs(20)),
            Err(error) => return Err(error.into()),
        }
    }
    bail!("the request was never accepted")
}

async fn submit(submitter: &Submitter, tenant: &Tenant, body: &Value, once: &Once) -> Result<JobId, SubmitError> {
    let by = Requester::own(tenant.clone(), "test");
    let submitted = submitter.submit(&by, body.clone(), Some(once)).await?;
    submitter.settle(&by, &submitted.job, once).await;
    Ok(submitted.job.id)
}

/// One worker takes a message, if there is one; the sweep runs. Either may fail, or be killed, and comes again.
async fn round(site: &Site, faults: &Faults, runner: &Arc<Counting>) -> anyhow::Result<()> {
    let message = site.receive_message().await?;
    if let Some(message) = message {
        let worked = tokio::select! {
            worked = site.execute(message.ticket.id, runner.clone()) => worked.is_ok(),
            () = faults.killed() => false,
        };
        if worked {
            site.acknowledge(message).await?;
        }
    }
    tokio::select! {
        swept = site.sweep() => if let Err(error) = swept {
            ensure!(error.is_retryable(), "{error:?}");
        },
        () = faults.killed() => {}
    }
    Ok(())
}

/// Asks until it is told that the job is to be stopped, or has ended.
async fn cancel_when_running(sound: &Site, site: &Site, id: JobId) -> bool {
    for _ in 0..40 {
        if sound
            .state(id)
            .await
            .is_ok_and(|state| state.status == JobStatus::Running)
        {
            let cancel = callboard_core::job::CancelRequest {
                by: "ann".to_owned(),
                at: site.clock.now(),
            };
            // a client that is killed is not heard of again, so somebody else asks
            let asking = timeout(CLIENT_LIMIT, site.store.request_cancel(id, cancel));
            match asking.await {
                Ok(Ok(_) | Err(StoreError::Conflict)) => return true,
                Ok(Err(_)) | Err(_) => continue,
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}

async fn check(case: Case, site: &Site, faults: &Faults, id: JobId, runner: &Counting) -> anyhow::Result<()> {
    let state = site.state(id).await?;
    let outcome = state.outcome.clone().context("an outcome")?;
    let (starts, most) = (
        runner.starts.load(Ordering::SeqCst),
        runner.most_at_once.load(Ordering::SeqCst),
    );
    ensure!(
        starts as usize <= case.max_attempts as usize * case.jobs && most <= 1,
        "{starts} starts, {most} at once"
    );
    ensure!(state.attempt <= case.max_attempts, "{state:?}");
    ensure!(
        state.lease.is_none() && state.due.is_none() && state.blocked_on.is_none() && state.finished_at.is_some(),
        "{state:?}"
    );
    let killed = faults.kills();
    let as_told = match outcome.reason.as_ref().map(Reason::as_str) {
        None => starts > case.breaks && !case.cancel,
        Some("canceled_by_request") => case.cancel,
        Some("lost") => killed,
        Some("runner_error") => killed && starts <= case.breaks,
        _ => false,
    };
    ensure!(as_told, "{outcome:?} after {starts} starts");
    for attempt in 1..=state.attempt {
        check_log(site, id, attempt, killed || case.cancel).await?;
    }
    Ok(())
}

/// What is there of the log is the beginning of what was printed, and its manifest says whether that is all.
async fn check_log(site: &Site, id: JobId, attempt: u32, may_be_cut: bool) -> anyhow::Result<()> {
    let key = LogKey {
        job: id,
        attempt,
        stream: Stream::Stdout,
    };
    let stdout = site.logs.read(key, 0..u64::MAX).await?;
    let whole = PRINTED.concat();
    ensure!(whole.as_bytes().starts_with(&stdout), "{stdout:?}");
    let manifest = site.logs.manifest(id, attempt).await?;
    let mut check = Check::new();
    for head in site.logs.segments(id, attempt).await? {
        let range = head.range(Stream::Stdout);
        check.add(&head, &site.logs.read(key, range).await?);
    }
    let found = check.finish(manifest.as_ref());
    match &manifest {
        Some(manifest) if manifest.complete => {
            ensure!(stdout == whole && found.faults.is_empty(), "{manifest:?} {found:?}");
        }
        _ => ensure!(may_be_cut && found.faults.len() == 1, "{manifest:?} {found:?}"),
    }
    Ok(())
}
