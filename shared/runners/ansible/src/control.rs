//! Steering a forked job: what its supervisor reports, and the signals that end it.

use std::io;
use std::time::Duration;

use callboard_core::execute::Stop;
use rustix::process::Signal;
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::packets::Packets;
use crate::supervisors::Supervisors;

/// How often SIGKILL is repeated, and after how many times a job counts as unstoppable.
const KILL_EVERY: Duration = Duration::from_secs(1);
const KILLS: u32 = 20;

/// What a supervisor reports.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Report {
    Started {
        supervisor: i32,
    },
    Exited {
        rc: Option<i32>,
        signal: Option<i32>,
        survivors: Vec<i32>,
        left: Vec<String>,
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
    /// The host died before the playbook was started.
    NotStarted,
    /// It would not end, or left processes that would not.
    Unstoppable(String),
}

/// One job's control socket.
pub(crate) struct Control<'a> {
    socket: Packets,
    grace: Duration,
    supervisors: &'a Supervisors,
    /// The supervisor, once it has reported.
    pub(crate) supervisor: Option<i32>,
    /// Set once the job has been told to stop.
    pub(crate) stopped: bool,
    /// What the playbook had left running when it ended, and what ended with it.
    pub(crate) left: Vec<String>,
}

impl<'a> Control<'a> {
    pub(crate) fn new(socket: Packets, grace: Duration, supervisors: &'a Supervisors) -> Self {
        Self {
            socket,
            grace,
            supervisors,
            supervisor: None,
            stopped: false,
            left: Vec::new(),
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
                    Some(packet) => if let Some(exit) = self.report(&packet)? { return Ok(exit) },
                },
                () = stop.requested(), if !self.stopped => {
                    self.stopped = true;
                    self.signal(Signal::TERM).await;
                    next_signal = Some(Instant::now() + self.grace);
                }
                () = abort.notified() => next_signal = Some(Instant::now()),
                () = at(next_signal) => {
                    kills += 1;
                    if kills > KILLS {
                        return Ok(Exit::Unstoppable("it did not end after SIGKILL".to_owned()));
                    }
                    self.signal(Signal::KILL).await;
                    next_signal = Some(Instant::now() + KILL_EVERY);
                }
            }
        }
    }

    fn report(&mut self, packet: &[u8]) -> io::Result<Option<Exit>> {
        Ok(match serde_json::from_slice(packet)? {
            Report::Started { supervisor } => {
                self.supervisors.add(supervisor);
                self.supervisor = Some(supervisor);
                None
            }
            Report::Exited { survivors, .. } if !survivors.is_empty() => Some(Exit::Unstoppable(format!(
                "these processes could not be ended: {survivors:?}"
            ))),
            Report::Exited { rc, signal, left, .. } => {
                self.left = left;
                Some(signal.map_or(Exit::Code(rc.unwrap_or(1)), Exit::Signal))
            }
        })
    }

    /// A supervisor that is gone is noticed where its reports are read.
    async fn signal(&self, signal: Signal) {
        let packet = format!(r#"{{"signal": {}}}"#, signal.as_raw());
        drop(self.socket.send(packet.as_bytes(), &[]).await);
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
