//! Checks that the host answers: jobs run as its user, and whatever one job does to the host, the others must go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::packets::Packets;

/// How often the host is asked, and how long to wait for an answer.
const BEAT: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(5);
/// How many times the host is continued, which is all that a stopped host needs, before it is killed and so replaced. A
/// machine may stand still for half a minute.
const TRIES: u32 = 6;

/// Asks the host at regular intervals, until this is dropped.
pub(super) struct Heartbeat {
    missed: Arc<AtomicBool>,
    asking: JoinHandle<()>,
}

impl Heartbeat {
    pub(super) fn start(socket: &Arc<Packets>, pid: i32) -> Self {
        let missed = Arc::new(AtomicBool::new(false));
        let asking = tokio::spawn(ask(Arc::clone(socket), pid, Arc::clone(&missed)));
        Self { missed, asking }
    }

    /// Returns whether an answer is missing.
    pub(super) fn is_missed(&self) -> bool {
        self.missed.load(Ordering::Relaxed)
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

/// Asks the host until it is gone; the next caller that needs a host starts another.
async fn ask(socket: Arc<Packets>, pid: i32, missed: Arc<AtomicBool>) {
    let Some(pid) = Pid::from_raw(pid) else { return };
    loop {
        sleep(BEAT).await;
        // this fails if the host is gone
        if socket.send(b"ping", &[]).await.is_err() {
            return;
        }
        let mut tries = 0;
        while timeout(PATIENCE, socket.receive()).await.is_err() {
            tries += 1;
            missed.store(true, Ordering::Relaxed);
            let (signal, what) = match tries {
                ..=TRIES => (Signal::CONT, "continued"),
                _ => (Signal::KILL, "replaced"),
            };
            tracing::warn!(
                host.pid = pid.as_raw_nonzero().get(),
                "the Ansible host does not answer and is {what}"
            );
            let _gone = kill_process(pid, signal);
        }
        missed.store(false, Ordering::Relaxed);
    }
}
