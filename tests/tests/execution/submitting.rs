//! Accepting requests.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use callboard_core::access::Requester;
use callboard_core::base::id::{JobId, Tenant};
use callboard_core::base::store_error::StoreError;
use callboard_core::base::time::{Clock, Timestamp};
use callboard_core::job::{Job, JobQueue, JobStatus};
use callboard_core::request::Reason;
use callboard_core::run::Dispatcher;
use callboard_core::submit::{SubmitError, Submitter};
use callboard_kind_ansible::catalog::{PlaybookCatalog, PlaybookError};
use callboard_tests::contract::samples::{HOUR, query, success};
use callboard_tests::faults::{Fault, Faults};
use callboard_tests::kinds::kinds_with;
use serde_json::{Value, json};

use crate::script::Script;
use crate::site::Site;

struct OnePlaybook;

impl PlaybookCatalog for OnePlaybook {
    fn check(&self, playbook: &str) -> Result<(), PlaybookError> {
        if playbook == "site.yml" {
            return Ok(());
        }
        Err(PlaybookError::NotFound(playbook.to_owned()))
    }
}

#[tokio::test]
async fn a_request_becomes_a_job_that_its_message_leads_to() -> anyhow::Result<()> {
    let site = Site::open()?;
    let submitted = submit(&site, site.queue.clone(), &valid()).await?;
    let kept = site.record(submitted.id).await?;
    assert_eq!((&kept, kept.state.status), (&submitted, JobStatus::Pending));
    assert_eq!(
        (kept.created_at, kept.expires_at()),
        (site.clock.now(), Timestamp::NEVER)
    );
    assert_eq!(site.store.due(site.clock.now() + HOUR, 10).await?, []);
    assert_eq!(site.receive().await?, Some(submitted.id));
    site.execute(submitted.id, Arc::new(Script::new(&[]))).await?;
    assert_eq!(site.state(submitted.id).await?.outcome, Some(success()));
    let ended = site.record(submitted.id).await?;
    assert_eq!(ended.expires_at(), site.clock.now() + HOUR);
    Ok(())
}

#[tokio::test]
async fn a_request_is_accepted_while_the_queue_is_down_and_its_job_is_sent_later() -> anyhow::Result<()> {
    let site = Site::open()?;
    let dead = Faults::next("queue.send", Fault::Down, u32::MAX).queue(site.queue.clone());
    let job = submit(&site, dead, &valid()).await?;
    assert_eq!(site.receive().await?, None);
    site.clock.advance(Duration::from_secs(11));
    assert_eq!(site.sweep().await?.dispatched, 1);
    assert_eq!(site.receive().await?, Some(job.id));
    Ok(())
}

#[tokio::test]
async fn a_request_that_is_wrong_leaves_nothing() -> anyhow::Result<()> {
    let site = Site::open()?;
    match submit(&site, site.queue.clone(), &json!({"playbook": "site.yml", "colour": 1})).await {
        Err(SubmitError::Invalid(faults)) => assert_eq!(faults[0].pointer, "/colour"),
        other => bail!("{other:?}"),
    }
    match submit(&site, site.queue.clone(), &json!({"playbook": "other.yml"})).await {
        Err(SubmitError::Missing(error)) => assert_eq!(error.pointer, "/playbook"),
        other => bail!("{other:?}"),
    }
    assert_nothing(&site).await
}

#[tokio::test]
async fn a_request_that_cannot_be_recorded_is_refused_and_sent_nowhere() -> anyhow::Result<()> {
    let mut site = Site::open()?;
    let faults = Faults::default();
    faults.only_writes().set("store.", Fault::Down, u32::MAX);
    site.store = faults.store(site.store);
    match submit(&site, site.queue.clone(), &valid()).await {
        Err(SubmitError::Store(StoreError::Unavailable(_))) => assert_nothing(&site).await,
        other => bail!("{other:?}"),
    }
}

#[tokio::test]
async fn an_event_with_a_key_that_came_before_is_the_job_of_that_one() -> anyhow::Result<()> {
    let site = Site::open()?;
    let submitter = site.submitter();
    let accept = async |body: Value| {
        submitter
            .accept(&Requester::own(Tenant::default(), "test"), JobId::new(), Ok(body))
            .await
    };
    let keyed = |greeting: &str| json!({"playbook": "site.yml", "extra_vars": {"greeting": greeting}, "idempotency_key": "nightly"});
    let first = accept(keyed("hello")).await?;
    assert_eq!(first.state.status, JobStatus::Pending);
    assert_eq!(accept(keyed("hello")).await?.id, first.id);
    let other = accept(keyed("goodbye")).await?;
    let error = other
        .state
        .outcome
        .and_then(|outcome| outcome.error)
        .unwrap_or_default();
    assert_eq!(
        error,
        "The idempotency_key \"nightly\" was used for a different request."
    );
    for bad in [json!(""), json!(7), json!("two words")] {
        let refused = accept(json!({"playbook": "site.yml", "idempotency_key": bad})).await?;
        let outcome = refused.state.outcome.unwrap_or_else(success);
        assert_eq!(outcome.reason, Some(Reason::REQUEST_INVALID), "{bad}");
        assert!(
            outcome.error.unwrap_or_default().contains("/idempotency_key must"),
            "{bad}"
        );
    }
    site.clock.advance(HOUR * 24);
    assert_ne!(accept(keyed("hello")).await?.id, first.id);
    let keyless = json!({"playbook": "site.yml", "idempotency_key": null});
    assert_ne!(accept(keyless.clone()).await?.id, accept(keyless).await?.id);
    Ok(())
}

async fn submit(site: &Site, queue: Arc<dyn JobQueue>, body: &Value) -> Result<Job, SubmitError> {
    let submitter = Submitter {
        dispatcher: Dispatcher {
            queue,
            ..site.dispatcher()
        },
        kinds: kinds_with(Arc::new(OnePlaybook)),
        ..site.submitter()
    };
    let submitted = submitter
        .submit(&Requester::own(Tenant::default(), "test"), body.clone(), None)
        .await?;
    Ok(submitted.job)
}

async fn assert_nothing(site: &Site) -> anyhow::Result<()> {
    let page = site.store.list(&query(&Tenant::default()), site.clock.now()).await?;
    assert_eq!((page.total, site.receive().await?), (0, None));
    Ok(())
}

fn valid() -> Value {
    json!({"playbook": "site.yml", "extra_vars": {"greeting": "hello"}})
}
