//! The benchmarks: every figure is compared with a stated reference that is measured in the same run.

mod access;
mod calls;
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
mod stream;
mod tenants;

use anyhow::{Context, ensure};

use crate::report::Report;

/// Makes a function that measures the parts, in this order, whose names begin with one of the names given, or all of them.
macro_rules! parts {
    ($($module:ident::$part:ident)*) => {
        const PARTS: &[&str] = &[$(concat!(stringify!($module), "::", stringify!($part)),)*];

        async fn measure(report: &mut Report, names: &[String]) -> anyhow::Result<()> {
            $(
                let part = concat!(stringify!($module), "::", stringify!($part));
                if names.is_empty() || names.iter().any(|name| part.starts_with(name)) {
                    $module::$part(report).await.context(part)?;
                }
            )*
            Ok(())
        }
    };
}

parts! {
    jobs::wall_time
    jobs::throughput
    calls::http
    calls::shell
    calls::container
    calls::throughput
    calls::memory
    promises::cost
    promises::recovery
    requests::submit
    requests::get
    access::key
    access::audit
    access::token
    access::guesses
    tenants::turns
    lists::depth
    lists::sweep
    sources::git
    sources::validation
    sources::large_body
    memory::resident
    storm::peak
    stream::latency
    stream::followers
    functions::zips
    functions::worker
    functions::caller
    capacity::of_a_job
    capacity::of_lists
    capacity::of_a_sweep
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    for name in &names {
        let is_known = PARTS.iter().any(|part| part.starts_with(name));
        ensure!(is_known, "there is no part {name:?}; there are {}", PARTS.join(", "));
    }
    let mut report = Report::default();
    measure(&mut report, &names).await?;
    report.finish()
}
