//! The benchmarks: every figure is compared with a stated reference that is measured in the same run.

mod capacity;
mod functions;
mod jobs;
mod lists;
mod memory;
mod promises;
mod report;
mod requests;
mod sources;
mod storm;

use anyhow::Context;

use crate::report::Report;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut report = Report::default();
    jobs::wall_time(&mut report).await.context("wall time of a job")?;
    jobs::throughput(&mut report).await.context("throughput")?;
    promises::cost(&mut report).await.context("cost of the promises")?;
    promises::recovery(&mut report).await.context("recovery")?;
    requests::submit(&mut report).await.context("latency of a submission")?;
    requests::get(&mut report).await.context("rate of reading a record")?;
    lists::depth(&mut report).await.context("lists")?;
    lists::sweep(&mut report).await.context("a sweep")?;
    sources::git(&mut report).await.context("sources from Git")?;
    sources::validation(&mut report)
        .await
        .context("validation of an inventory")?;
    sources::large_body(&mut report).await.context("a large body")?;
    memory::resident(&mut report).await.context("memory")?;
    storm::peak(&mut report).await.context("memory under a storm")?;
    functions::zips(&mut report)
        .await
        .context("submit and query functions")?;
    functions::worker(&mut report).await.context("worker function")?;
    capacity::of_a_job(&mut report).await.context("capacity of a job")?;
    capacity::of_lists(&mut report).await.context("capacity of lists")?;
    capacity::of_a_sweep(&mut report).await.context("capacity of a sweep")?;
    report.finish()
}
