//! The life of jobs under any order of steps, against a model of a few lines.

mod model;
mod steps;
mod world;

use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::steps::{Step, steps};
use crate::world::World;

/// Few, because each case has a database of its own.
const CASES: u32 = 64;

/// A failure prints the shortest series of steps that leads to it.
#[test]
fn jobs_live_as_the_model_says_whatever_the_order_of_steps() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(CASES)
    };
    let lived = TestRunner::new(config).run(&steps(), |steps| {
        let lived = runtime.block_on(live(&steps));
        lived.map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    lived.map_err(|failure| anyhow::anyhow!("{failure}"))
}

async fn live(steps: &[Step]) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut world = World::open(folder.path()).await?;
    for (number, step) in steps.iter().enumerate() {
        let name = |error: anyhow::Error| error.context(format!("step {number}, {step:?}"));
        world.take(step).await.map_err(name)?;
        world.check().await.map_err(name)?;
    }
    world.check_messages().await
}
