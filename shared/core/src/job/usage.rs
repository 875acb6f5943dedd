//! What an attempt used.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The resources that an attempt used: time, memory and output, and what they cost.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(default)]
pub struct Usage {
    /// Seconds from when the worker claimed the job until the last of its processes ended, rounded up to the millisecond.
    #[schema(required)]
    pub duration_seconds: f64,
    /// Seconds of CPU time of everything that the attempt started on the worker; null if unknown.
    pub cpu_seconds: Option<f64>,
    /// The peak memory of its largest process on the worker, in bytes; null if unknown.
    pub peak_memory_bytes: Option<u64>,
    /// By what the attempt was kept from everything else on the worker; empty if by nothing.
    #[schema(required)]
    pub isolation: Vec<String>,
    /// The number of bytes of output that are kept.
    #[schema(required)]
    pub output_bytes: u64,
    /// The memory of the worker, in MiB, if an AWS Lambda function ran this job and no other meanwhile; otherwise null.
    pub memory_size_mib: Option<u32>,
    /// The seconds that AWS charges for, to the millisecond; null if the job did not have an AWS Lambda function to itself.
    pub billed_seconds: Option<f64>,
    /// The estimated cost; null if nothing is charged.
    pub cost: Option<Cost>,
}

/// An estimate of what an attempt costs: the time of the function that ran it, and the call of the function that it is. It covers no
/// storage, and no requests to other services.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(default)]
pub struct Cost {
    /// The cost in US dollars, without free tier, discounts and taxes.
    #[schema(required)]
    pub usd: f64,
    /// The date of the price table that was used.
    #[schema(required)]
    pub price_table: String,
}

/// What AWS charges for a function's time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The function's memory, in MiB.
    pub memory_mib: u32,
    /// US dollars per second and GiB of memory.
    pub usd_per_gib_second: f64,
    /// The date of the price table.
    pub price_table: &'static str,
}

impl Rate {
    /// Adds the cost of its duration to a usage, which may have a cost that the runner has told.
    pub(crate) fn charge(&self, usage: &mut Usage) {
        let seconds = usage.duration_seconds;
        usage.memory_size_mib = Some(self.memory_mib);
        usage.billed_seconds = Some(seconds);
        let told = usage.cost.take().unwrap_or_default();
        usage.cost = Some(Cost {
            usd: told.usd + seconds * f64::from(self.memory_mib) / 1024.0 * self.usd_per_gib_second,
            price_table: self.price_table.to_owned(),
        });
    }
}
