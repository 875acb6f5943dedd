//! How soon the jobs of a killed service have come to their end.

use std::time::Instant;

use anyhow::ensure;
use callboard_tests::{Service, daemon};
use rustix::process::Signal;
use serde_json::json;

use crate::report::{Report, Target, median};

const KILLS: usize = 3;
const JOBS: usize = 4;

/// From SIGKILL to the final state, with a service that is started again at once.
pub(crate) async fn of_a_killed_service(report: &mut Report) -> anyhow::Result<()> {
    let mut took = Vec::new();
    for _ in 0..KILLS {
        let workers = JOBS.to_string();
        let (mut service, data) = Service::start(&["--workers", &workers])?;
        let client = service.client();
        let mut jobs = Vec::new();
        for number in 0..JOBS {
            let marker = data.path().join(number.to_string()).display().to_string();
            let id = daemon::start(&client, &marker, &json!({})).await?;
            daemon::runs(&client, &id, &marker).await?;
            jobs.push(id);
        }
        service.signal(Signal::KILL)?;
        let killed = Instant::now();
        service.wait()?;
        let service = Service::start_in(data.path(), &[])?;
        for id in jobs {
            let job = service.client().ended(&id).await?;
            ensure!(job["reason"] == "lost", "{job}");
            took.push(killed.elapsed().as_secs_f64());
        }
    }
    let longest = took.iter().copied().fold(0.0, f64::max);
    let reference = format!(
        "{} jobs of {KILLS} kills, with the start of the next service",
        took.len()
    );
    report.add(
        "kill to final state, median",
        median(took),
        "s",
        Target::AtMost(60.0),
        reference.clone(),
    );
    report.add(
        "kill to final state, longest",
        longest,
        "s",
        Target::AtMost(60.0),
        reference,
    );
    Ok(())
}
