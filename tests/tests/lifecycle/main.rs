//! The life of jobs under any order of steps, against a model of a few lines.

mod model;
mod steps;
mod world;

use std::sync::Arc;

use callboard_aws::{DynamoDbJobStore, JobStoreSettings};
use callboard_core::job::JobStore;
use callboard_tests::aws::Resources;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::steps::{Step, steps};
use crate::world::{RETENTION, World};

/// Few, because each case has a database of its own.
const CASES: u32 = 64;
/// Fewer, because each call goes over HTTP.
const CASES_ON_DYNAMODB: u32 = 20;

#[test]
fn jobs_live_as_the_model_says_whatever_the_order_of_steps() -> anyhow::Result<()> {
    all_live(CASES, async |steps| live(&steps, None).await)
}

#[test]
fn jobs_on_dynamodb_live_as_the_model_says_whatever_the_order_of_steps() -> anyhow::Result<()> {
    all_live(CASES_ON_DYNAMODB, async |steps| {
        let resources = Resources::create().await?;
        let settings = JobStoreSettings {
            table: resources.table.clone(),
            bucket: resources.bucket.clone(),
            retention: RETENTION,
        };
        let store = Arc::new(DynamoDbJobStore::new(&resources.config, settings));
        live(&steps, Some(store)).await
    })
}

/// A failure prints the shortest series of steps that leads to it.
fn all_live(cases: u32, live: impl AsyncFn(Vec<Step>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    };
    let lived = TestRunner::new(config).run(&steps(), |steps| {
        let lived = runtime.block_on(live(steps));
        lived.map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    lived.map_err(|failure| anyhow::anyhow!("{failure}"))
}

async fn live(steps: &[Step], store: Option<Arc<dyn JobStore>>) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut world = World::open(folder.path(), store).await?;
    for (number, step) in steps.iter().enumerate() {
        let name = |error: anyhow::Error| error.context(format!("step {number}, {step:?}"));
        world.take(step).await.map_err(name)?;
        world.check().await.map_err(name)?;
    }
    world.check_messages().await
}
