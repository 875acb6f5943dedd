//! Open files: raises the limit and divides the files between jobs, calls and connections.

use anyhow::ensure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cli::Load;

/// The most open files that any use needs. Jobs inherit the limit, and some programs close every number below it.
const ENOUGH: u64 = 65_536;
/// The files that the service itself holds: its database, the Ansible host, folders, the terminal.
const OWN: u64 = 128;
/// The most files that one worker's job has open: pipes, sockets, output files, programs that fetch its source.
const OF_A_WORKER: u64 = 32;
/// The most files that one call has open: its connection, and one for output.
const OF_A_CALL: u64 = 2;
/// The most files that one connection has open: its socket, and a file that its request reads.
const OF_A_CONNECTION: u64 = 2;
/// With fewer connections, the service cannot be queried.
const FEWEST_CONNECTIONS: u64 = 16;
/// The most connections besides those that follow: more would cost memory, and one machine has no use for them.
const MOST_CONNECTIONS: u64 = 200;

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

/// How many connections and calls there may be at a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Room {
    pub(crate) connections: usize,
    pub(crate) calls: usize,
}

/// Divides the open files that the workers' jobs leave: calls get what is asked for, up to half of them, and connections the rest.
///
/// # Errors
/// The limit is too low; the error says what to change.
pub(crate) fn divide(limit: u64, load: &Load) -> anyhow::Result<Room> {
    let workers = load.workers;
    let kept = OWN + OF_A_WORKER * u64::from(workers);
    let least = kept + 2 * OF_A_CONNECTION * FEWEST_CONNECTIONS;
    ensure!(
        limit >= least,
        "{limit} open files are allowed, and {workers} workers and the API need {least}: raise the limit (ulimit -n), or lower \
         --workers"
    );
    let left = limit - kept;
    let calls = u64::from(load.calls).min(left / 2 / OF_A_CALL);
    let most = MOST_CONNECTIONS + u64::from(load.max_followers);
    let connections = ((left - calls * OF_A_CALL) / OF_A_CONNECTION).min(most);
    Ok(Room {
        connections: usize::try_from(connections)?,
        calls: usize::try_from(calls)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_files_are_kept_back_for_jobs_whatever_the_limit() {
        for (limit, workers, calls, max_followers, expected) in [
            (65_536, 2, 256, 200, Some((400, 256))),
            (65_536, 2, 10_000, 200, Some((400, 10_000))),
            (65_536, 2, 256, 1000, Some((1200, 256))),
            (1024, 2, 16, 200, Some((400, 16))),
            (1024, 2, 256, 200, Some((208, 208))),
            (1024, 16, 256, 200, Some((96, 96))),
            (256, 2, 256, 200, Some((16, 16))),
            (1024, 256, 256, 200, None),
            (200, 2, 256, 200, None),
        ] {
            let load = Load {
                workers,
                calls,
                max_followers,
            };
            let room = divide(limit, &load).ok();
            let found = room.map(|room| (room.connections, room.calls));
            assert_eq!(found, expected, "{limit} {load:?}");
        }
    }
}
