//! Steering a forked job: what its supervisor reports, and the signals that end it.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use callboard_core::job::Usage;
use callboard_core::run::Stop;
use callboard_process::Children;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::packets::Packets;

/// How often SIGKILL is repeated, after how many times it goes to the supervisor itself, which had time for what cannot be ended
/// by then, and after how many the job counts as unstoppable.
const KILL_EVERY: Duration = Duration::from_secs(1);
const KILLS_OF_THE_JOB: u32 = 12;
const KILLS: u32 = 20;
/// Has a supervisor begin.
const GO: &[u8] = br#"{"go": true}"#;

/// What a supervisor reports.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Report {
    Started {
        supervisor: i32,
    },
    NotBegun {
        errno: i32,
    },
    Exited {
        rc: Option<i32>,
        signal: Option<i32>,
        survivors: Vec<i32>,
        left: Vec<String>,
        /// What all of the job's processes have used that had ended before: processor time and memory.
        used: Usage,
    },
}

/// How the process that was the playbook ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// With an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// Its supervisor, this process, ended without a word.
    SupervisorLost(i32),
    /// Nothing of it was started: it was stopped before, or the host or the supervisor has died.
    NotStarted,
    /// Nothing of it was started: a process could not be forked, with this error of the system.
    NotForked(i32),
    /// It would not end, or left processes that would not.
    Unstoppable(String),
}

impl Exit {
    /// The same, unless processes of the job live on that could not be ended.
    pub(crate) fn but_for(self, survivors: &[i32]) -> Self {
        match survivors {
            [] => self,
            _ => Self::Unstoppable(format!("these processes could not be ended: {survivors:?}")),
        }
    }
}

/// One job's control socket.
pub(crate) struct Control<'a> {
    socket: Packets,
    grace: Duration,
    children: &'a Children,
    /// The supervisor, once it has reported, which it does before it begins.
    pub(crate) supervisor: Option<i32>,
    handle: Option<OwnedFd>,
    /// Set once the job has been told to stop.
    pub(crate) stopped: bool,
    /// What the playbook had left running when it ended, and what ended with it.
    pub(crate) left: Vec<String>,
    /// What the job has used, once its supervisor has told.
    pub(crate) used: Option<Usage>,
}

impl<'a> Control<'a> {
    pub(crate) fn new(socket: Packets, grace: Duration, children: &'a Children) -> Self {
        Self {
            socket,
            grace,
            children,
            supervisor: None,
            handle: None,
            stopped: false,
            left: Vec::new(),
            used: None,
        }
    }

    /// Waits for the job's end, and brings it about when `stop` says so, or at once when `abort` does.
    pub(crate) async fn run(&mut self, mut stop: Stop, abort: &Notify) -> io::Result<Exit> {
        let mut next_signal: Option<Instant> = None;
        let mut kills = 0;
        loop {
            tokio::select! {
                packet = self.socket.receive() => match packet? {
                    None => return Ok(self.supervisor.map_or(Exit::NotStarted, Exit::SupervisorLost)),
                    Some(packet) => if let Some(exit) = self.report(&packet).await? { return Ok(exit) },
                },
                () = stop.requested(), if !self.stopped => {
                    self.stopped = true;
                    if self.supervisor.is_none() {
                        return Ok(Exit::NotStarted);
                    }
                    self.signal(Signal::TERM).await;
                    next_signal = Some(Instant::now() + self.grace);
                }
                () = abort.notified() => next_signal = Some(Instant::now()),
                () = at(next_signal) => {
                    kills += 1;
                    if kills <= KILLS_OF_THE_JOB {
                        self.signal(Signal::KILL).await;
                    } else if kills <= KILLS {
                        self.signal_supervisor(Signal::KILL);
                    } else {
                        return Ok(Exit::Unstoppable("it did not end after SIGKILL".to_owned()));
                    }
                    next_signal = Some(Instant::now() + KILL_EVERY);
                }
            }
        }
    }

    async fn report(&mut self, packet: &[u8]) -> io::Result<Option<Exit>> {
        Ok(match serde_json::from_slice(packet)? {
            Report::Started { supervisor } => {
                self.children.add(supervisor);
                self.supervisor = Some(supervisor);
                self.handle = Pid::from_raw(supervisor).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
                // one that is gone meanwhile is noticed where its reports are read
                drop(self.socket.send(GO, &[]).await);
                None
            }
            Report::NotBegun { errno } => Some(Exit::NotForked(errno)),
            Report::Exited {
                rc,
                signal,
                survivors,
                left,
                used,
            } => {
                self.left = left;
                self.used = Some(used);
                Some(
                    signal
                        .map_or(Exit::Code(rc.unwrap_or(1)), Exit::Signal)
                        .but_for(&survivors),
                )
            }
        })
    }

    /// Sends all that the job has started a signal, through its supervisor, which the job may have stopped. One that is gone is
    /// noticed where its reports are read.
    async fn signal(&self, signal: Signal) {
        self.signal_supervisor(Signal::CONT);
        let packet = format!(r#"{{"signal": {}}}"#, signal.as_raw());
        drop(self.socket.send(packet.as_bytes(), &[]).await);
    }

    fn signal_supervisor(&self, signal: Signal) {
        if let Some(handle) = &self.handle {
            let _gone = pidfd_send_signal(handle, signal);
        }
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
