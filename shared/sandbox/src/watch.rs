//! Watches a program until it and everything that it has started have ended.

use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, wait};

use crate::cgroup::Cgroup;
use crate::control::{Command, Control};
use crate::plan::Limits;
use crate::processes::Processes;
use crate::report::{Ending, Limit};
use crate::usage::{self, Usage};

/// How often limits are looked at: in a namespace of its own, and where all processes of the machine must be looked through.
const PERIOD: Duration = Duration::from_millis(25);
const SLOW_PERIOD: Duration = Duration::from_millis(50);
/// How often orphans that have ended are collected where nothing else is to be done.
const IDLE_PERIOD: Duration = Duration::from_secs(1);
/// How long to wait between two looks for what is left.
const PAUSE: Duration = Duration::from_millis(5);
/// How often what is left is looked for: for at least 10 s.
const TRIES: u32 = 2000;

/// A program that runs.
pub(crate) struct Watch<'a> {
    pub(crate) program: Pid,
    pub(crate) processes: Processes,
    pub(crate) control: &'a Control,
    pub(crate) limits: &'a Limits,
    pub(crate) folder: &'a Path,
    pub(crate) cgroup: Option<&'a Cgroup>,
}

impl Watch<'_> {
    /// Waits for the program's end, and ends what it leaves.
    pub(crate) fn run(&self) -> Ending {
        let mut usage = Usage::new(self.limits, self.folder, self.processes);
        let (mut limit, mut killed) = (None, false);
        let code = loop {
            if let Some(code) = self.collect() {
                break code;
            }
            if limit.is_none() && usage.is_limited() {
                limit = usage.exceeded();
            }
            if killed || limit.is_some() {
                self.kill();
            }
            killed |= self.wait(self.period(&usage)) == Some(Command::Kill);
        };
        self.end_rest();
        let (cpu_seconds, peak_memory_bytes) = usage::ended();
        let was = |number: i32| code == 128 + number;
        let told = || match code {
            _ if self.cgroup.is_some_and(Cgroup::was_short_of_memory) => Some(Limit::Memory),
            _ if self.limits.disk_bytes.is_some() && was(libc::SIGXFSZ) => Some(Limit::FileSize),
            _ if self.limits.cpu_seconds.is_some() && was(libc::SIGXCPU) => Some(Limit::Cpu),
            0 => None,
            _ => usage.is_out_of_time(0.0).then_some(Limit::Cpu),
        };
        Ending {
            code,
            limit: limit.or_else(told),
            cpu_seconds,
            peak_memory_bytes,
        }
    }

    fn period(&self, usage: &Usage<'_>) -> Duration {
        match self.processes {
            _ if !usage.is_limited() => IDLE_PERIOD,
            Processes::OfNamespace => PERIOD,
            Processes::Descendants => SLOW_PERIOD,
        }
    }

    /// Waits until the program ends, the service asks for something, or the time is over; returns what it asks for.
    fn wait(&self, period: Duration) -> Option<Command> {
        let program = pidfd_open(self.program, PidfdFlags::empty()).ok()?;
        let mut ready = [
            PollFd::new(&program, PollFlags::IN),
            PollFd::new(self.control, PollFlags::IN),
        ];
        let period = Timespec::try_from(period).ok();
        if poll(&mut ready, period.as_ref()).is_err() || ready[1].revents().is_empty() {
            return None;
        }
        let command = self.control.command();
        if command == Command::Terminate {
            self.processes.signal(Signal::TERM);
            // what is stopped must go on to see it
            self.processes.signal(Signal::CONT);
        }
        Some(command)
    }

    fn kill(&self) {
        if self.cgroup.is_none_or(|cgroup| cgroup.kill().is_err()) {
            self.processes.signal(Signal::KILL);
        }
    }

    /// Collects what has ended; returns the program's exit code once it is among that.
    fn collect(&self) -> Option<i32> {
        let mut found = None;
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if pid == self.program {
                let signal = status.terminating_signal().map(|signal| 128 + signal);
                found = status.exit_status().or(signal);
            }
        }
        found
    }

    /// Ends what the program has left, until nothing is.
    fn end_rest(&self) {
        for _ in 0..TRIES {
            self.collect();
            // this process has no child left, to which every orphan would have come
            if wait(WaitOptions::NOHANG).is_err() {
                return;
            }
            self.kill();
            std::thread::sleep(PAUSE);
        }
    }
}
