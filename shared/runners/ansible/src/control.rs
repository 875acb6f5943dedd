//! Steers a forked job: reads what its supervisor reports, and sends the signals that end it.

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

/// How often SIGKILL is repeated; after how many tries it goes to the supervisor itself, which by then has had time to deal
/// with processes that cannot be ended; and after how many tries the job counts as unstoppable.
const KILL_EVERY: Duration = Duration::from_secs(1);
const KILLS_OF_THE_JOB: u32 = 12;
const KILLS: u32 = 20;
/// Tells a supervisor to begin.
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
        /// The processor time and memory used by all of the job's processes that had ended by then.
        used: Usage,
    },
}

/// How the playbook's process ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// With an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// Its supervisor, which had this process id, ended without a report.
    SupervisorLost(i32),
    /// Nothing was started: the job was stopped first, or the host or the supervisor died.
    NotStarted,
    /// Nothing was started: a process could not be forked; the system's error number says why.
    NotForked(i32),
    /// It did not end, or left processes that did not end.
    Unstoppable(String),
}

impl Exit {
    /// Returns this exit, or [`Exit::Unstoppable`] if processes of the job could not be ended.
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
    /// The supervisor's process id, once it has reported; it reports before it begins.
    pub(crate) supervisor: Option<i32>,
    handle: Option<OwnedFd>,
    /// Set once the job has been told to stop.
    pub(crate) stopped: bool,
    /// What the playbook had left running when it ended, and what was ended with it.
    pub(crate) left: Vec<String>,
    /// What the job has used, once its supervisor has reported it.
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

    /// Waits for the job's end. Stops the job when `stop` is requested, and kills it at once when `abort` is notified.
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
                // if the supervisor is gone, reading its reports shows it
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

    /// Sends a signal to everything that the job has started, through its supervisor, which is continued first because the job
    /// may have stopped it. If the supervisor is gone, reading its reports shows it.
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
