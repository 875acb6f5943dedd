//! What a container may use.

use std::time::Duration;

use callboard_kind_service::security::ResourceLimits;

const MIB: i64 = 1024 * 1024;
const MEMORY_MB: u64 = 512;
const DISK_MB: u64 = 64;
const PROCESSES: u64 = 256;

/// The limits of a container.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes of memory; swap is none.
    pub(crate) memory: i64,
    /// Billionths of a processor.
    pub(crate) nano_cpus: Option<i64>,
    /// Processes and threads.
    pub(crate) processes: i64,
    /// Bytes that it may write to each of its folders in memory.
    pub(crate) disk: i64,
    /// Processor time of all processes together.
    pub(crate) cpu_seconds: Option<Duration>,
}

impl Bounds {
    pub(crate) fn new(limits: &ResourceLimits, cpu_millis: Option<u64>) -> Self {
        let mib = |given: Option<u64>, usual: u64| whole(given.unwrap_or(usual)).saturating_mul(MIB);
        Self {
            memory: mib(limits.memory_mb, MEMORY_MB),
            nano_cpus: cpu_millis.map(|millis| whole(millis).saturating_mul(1_000_000)),
            processes: whole(limits.processes.unwrap_or(PROCESSES)),
            disk: mib(limits.disk_mb, DISK_MB),
            cpu_seconds: limits.cpu_seconds.map(Duration::from_secs),
        }
    }
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
