//! What an attempt used.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an attempt used: time, memory, output, and what that costs.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(default)]
pub struct Usage {
    /// Seconds from the claim of the job to the end of the last of its processes.
    #[schema(required)]
    pub duration_seconds: f64,
    /// Seconds of processor time of all that it started on the worker; null where that is not known.
    pub cpu_seconds: Option<f64>,
    /// The most memory, in bytes, that one of its processes on the worker held; null where that is not known.
    pub peak_memory_bytes: Option<u64>,
    /// Bytes that it printed and that are kept.
    #[schema(required)]
    pub output_bytes: u64,
    /// The worker's memory in MiB, where a function of AWS ran the job; else null.
    pub memory_size_mib: Option<u32>,
    /// Seconds that AWS charges for, to the millisecond; null elsewhere.
    pub billed_seconds: Option<f64>,
    /// What that costs, estimated; null where nothing is charged.
    pub cost: Option<Cost>,
}

/// An estimate of what an attempt costs. It is one of the function's time alone: no storage, no requests of other services.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
#[serde(default)]
pub struct Cost {
    /// US dollars, without free tier, discounts and taxes.
    #[schema(required)]
    pub usd: f64,
    /// Of when the prices are: the date of the table that was used.
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
    /// Adds the cost of its duration to a usage.
    pub(crate) fn charge(&self, usage: &mut Usage) {
        let seconds = (usage.duration_seconds * 1000.0).ceil() / 1000.0;
        usage.memory_size_mib = Some(self.memory_mib);
        usage.billed_seconds = Some(seconds);
        usage.cost = Some(Cost {
            usd: seconds * f64::from(self.memory_mib) / 1024.0 * self.usd_per_gib_second,
            price_table: self.price_table.to_owned(),
        });
    }
}
