//! Open files: raises the limit and divides the files between jobs and connections.

use anyhow::ensure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most open files that any use needs. Jobs inherit the limit, and some programs close every number below it.
const ENOUGH: u64 = 65_536;
/// The files that the service itself holds: its database, the Ansible host, folders, the terminal.
const OWN: u64 = 128;
/// The most files that one worker's job has open: pipes, sockets, output files, programs that fetch its source.
const OF_A_WORKER: u64 = 32;
/// The most files that one connection has open: its socket, and a file that its request reads.
const OF_A_CONNECTION: u64 = 2;
/// With fewer connections, the service cannot be queried.
const FEWEST_CONNECTIONS: u64 = 16;
/// More connections would cost memory, and one machine has no use for them.
const MOST_CONNECTIONS: u64 = 400;

/// Raises the limit of open files as far as it is allowed and useful, and returns it.
pub(crate) fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX).min(ENOUGH);
    let now = limit.current.unwrap_or(u64::MAX);
    if now >= most {
        return now;
    }
    let raised = Rlimit {
        current: Some(most),
        ..limit
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => most,
        Err(_) => now,
    }
}

/// Returns how many connections are allowed, so that enough open files are left for jobs.
///
/// # Errors
/// The limit is too low; the error says what to change.
pub(crate) fn connections(limit: u64, workers: u16) -> anyhow::Result<usize> {
    let kept = OWN + OF_A_WORKER * u64::from(workers);
    let least = kept + OF_A_CONNECTION * FEWEST_CONNECTIONS;
    ensure!(
        limit >= least,
        "{limit} open files are allowed, and {workers} workers and the API need {least}: raise the limit (ulimit -n), or lower \
         --workers"
    );
    let connections = ((limit - kept) / OF_A_CONNECTION).min(MOST_CONNECTIONS);
    Ok(usize::try_from(connections)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_files_are_kept_back_for_jobs_whatever_the_limit() {
        for (limit, workers, expected) in [
            (65_536, 2, Some(400)),
            (1024, 2, Some(400)),
            (1024, 16, Some(192)),
            (256, 2, Some(32)),
            (1024, 256, None),
            (200, 2, None),
        ] {
            assert_eq!(connections(limit, workers).ok(), expected, "{limit} {workers}");
        }
    }
}
