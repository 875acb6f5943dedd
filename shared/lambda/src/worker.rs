//! The worker of a function that executes jobs.

use std::time::Duration;

use callboard_core::job::Rate;
use callboard_core::output::OutputLimits;
use callboard_core::request::Lane;
use callboard_core::run::{Held, Outage, Runners, Worker, WorkerSettings};

use crate::batches::Batches;
use crate::parts::{HEARTBEAT, LEASE, Parts};
use crate::settings::number;

const FLUSH: Duration = Duration::from_secs(1);
/// The region and the month that the prices are from.
const PRICE_TABLE: &str = "aws-lambda/us-east-1/2026-11";

impl Parts {
    /// Makes what executes the batches of a lane's queue with these runners.
    ///
    /// # Errors
    /// A variable cannot be read; the error names it.
    pub fn batches(&self, lane: Lane, runners: Runners) -> anyhow::Result<Batches> {
        let margin = Duration::from_secs(number("CALLBOARD_DEADLINE_MARGIN", 60)?.into());
        let worker = Worker {
            store: self.store.clone(),
            dispatcher: self.dispatcher.clone(),
            allowance: self.allowance.clone(),
            lane,
            logs: self.logs.clone(),
            runners,
            clock: self.clock.clone(),
            settings: settings(lane)?,
            held: Held::default(),
            outage: Outage::default(),
        };
        Ok(Batches::new(worker, self.queue.clone(), margin))
    }
}

fn settings(lane: Lane) -> anyhow::Result<WorkerSettings> {
    Ok(WorkerSettings {
        lease: Some(LEASE),
        heartbeat: HEARTBEAT,
        flush: FLUSH,
        look: FLUSH,
        output: OutputLimits {
            max_bytes: u64::from(number("CALLBOARD_MAX_OUTPUT_MB", 1024)?) << 20,
            max_events: number("CALLBOARD_MAX_EVENTS", 1_000_000)?.into(),
        },
        patience: Duration::ZERO,
        puts_back: true,
        requeues: true,
        // calls share an invocation, so its price is not that of any of them
        rate: rate().filter(|_| lane == Lane::Programs),
    })
}

/// The price that AWS charges for this function's time, by its memory and processor: the first tier of us-east-1.
fn rate() -> Option<Rate> {
    let memory = std::env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").ok()?;
    Some(Rate {
        memory_mib: memory.parse().ok()?,
        usd_per_gib_second: if cfg!(target_arch = "aarch64") {
            0.000_013_333_4
        } else {
            0.000_016_666_7
        },
        price_table: PRICE_TABLE,
    })
}
