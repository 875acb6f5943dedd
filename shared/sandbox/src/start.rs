//! Starts the program: the last process that is still the launcher's.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Seek, Write};
use std::os::fd::OwnedFd;

use nix::unistd::fexecve;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};

use crate::cgroup::Cgroup;
use crate::plan::{Means, Plan};
use crate::program::{Program, text};
use crate::report::Failure;
use crate::settings::Settings;
use crate::{confine, landlocked, raw};

/// The exit code of a process whose program could not be started; nobody sees it.
const UNSTARTED: i32 = 127;

/// A program that runs.
pub(crate) struct Started {
    pub(crate) pid: Pid,
    pub(crate) isolation: Vec<String>,
}

/// What the new process tells its parent before it is the program.
#[derive(Deserialize, Serialize)]
enum Told {
    Isolated(Vec<String>),
    Failed(Failure),
}

/// What the new process needs to confine itself and become the program.
#[derive(Clone, Copy)]
pub(crate) struct Start<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) program: &'a Program,
    pub(crate) settings: &'a Settings,
    pub(crate) cgroup: Option<&'a Cgroup>,
}

impl Start<'_> {
    /// Starts the program in a process of its own.
    pub(crate) fn start(self) -> Result<Started, Failure> {
        let failed = |error: io::Error| Failure::system("the program's process cannot be made", error);
        let stdin = stdin(self.plan).map_err(failed)?;
        let (reader, writer) = io::pipe().map_err(failed)?;
        let parent = getpid();
        match raw::fork().map_err(failed)? {
            Some(pid) => {
                drop(writer);
                let isolation = told(reader)?;
                Ok(Started { pid, isolation })
            }
            None => {
                drop(reader);
                // whoever ends this process's parent ends the program
                let bound = set_parent_process_death_signal(Some(Signal::KILL)).is_ok();
                if !bound || getppid() != Some(parent) {
                    std::process::exit(UNSTARTED);
                }
                raw::run_first(false);
                self.become_program(&stdin, &writer);
                std::process::exit(UNSTARTED)
            }
        }
    }

    /// Returns only if the program could not be executed, after it was told why.
    fn become_program(self, stdin: &OwnedFd, writer: &PipeWriter) {
        let tell = |told: &Told| {
            if let Ok(mut line) = serde_json::to_vec(told) {
                line.push(b'\n');
                let _closed = (&*writer).write_all(&line);
            }
        };
        let executed = self.isolate(stdin).and_then(|isolation| {
            tell(&Told::Isolated(isolation));
            execute(self.plan, self.program)
        });
        if let Err(failure) = executed {
            tell(&Told::Failed(failure));
        }
    }

    fn isolate(self, stdin: &OwnedFd) -> Result<Vec<String>, Failure> {
        let Self {
            plan,
            program,
            settings,
            cgroup,
        } = self;
        let failed = |error: io::Error| Failure::system("the program's process cannot be prepared", error);
        let mut isolation = vec!["rlimits".to_owned()];
        if let Some(cgroup) = cgroup {
            cgroup.enter().map_err(failed)?;
            isolation.push("cgroup".to_owned());
        }
        rustix::process::setsid().map_err(|error| failed(error.into()))?;
        rustix::stdio::dup2_stdin(stdin).map_err(|error| failed(error.into()))?;
        std::env::set_current_dir(&plan.folder).map_err(failed)?;
        if plan.namespaces {
            let names = ["user", "pid", "mount", "ipc", "uts"];
            let network = (!plan.network).then_some("network");
            let names = names.into_iter().chain(network);
            isolation.extend(names.map(|name| format!("{name}_namespace")));
        }
        confine::drop_privileges().map_err(failed)?;
        isolation.extend(["no_new_privileges", "no_capabilities"].map(str::to_owned));
        let version = landlocked::restrict(plan, program, settings);
        let version = version.map_err(|error| failed(io::Error::other(error)))?;
        isolation.extend(version.map(|version| format!("landlock_{version}")));
        if version.is_none() && plan.demanded.contains(&Means::Landlock) {
            return Err(Failure::isolation(
                Means::Landlock,
                "the kernel does not have it, or it is not enabled",
            ));
        }
        Ok(isolation)
    }
}

/// Waits until the program is executed, or says why it is not. The pipe is closed when it is executed.
fn told(mut reader: PipeReader) -> Result<Vec<String>, Failure> {
    let mut text = String::new();
    let read = reader.read_to_string(&mut text);
    read.map_err(|error| Failure::system("the program's process cannot be heard", error))?;
    let mut isolation = None;
    for line in text.lines() {
        match serde_json::from_str(line) {
            Ok(Told::Isolated(means)) => isolation = Some(means),
            Ok(Told::Failed(failure)) => return Err(failure),
            Err(error) => return Err(Failure::system("the program's process cannot be understood", error)),
        }
    }
    let ended = || {
        Failure::system(
            "the program could not be started",
            io::Error::other("its process has ended"),
        )
    };
    isolation.ok_or_else(ended)
}

fn execute(plan: &Plan, program: &Program) -> Result<(), Failure> {
    let mut environment = Vec::new();
    for (name, value) in &plan.environment {
        environment.push(text(format!("{name}={value}").as_bytes())?);
    }
    if let Some(script) = &program.script {
        let handed = fcntl_setfd(script, FdFlags::empty());
        handed.map_err(|error| Failure::system("the script cannot be handed over", error))?;
    }
    raw::die_of_broken_pipes();
    // last, since what is left to do here must not reach them
    let limited = confine::limit(&plan.limits, plan.namespaces);
    limited.map_err(|error| Failure::system("the program cannot be limited", error))?;
    let Err(error) = fexecve(&program.file, &program.arguments, &environment);
    let what = format!("the program {} cannot be run", plan.program.display());
    let mut failure = Failure::system(&what, error);
    if matches!(
        error,
        nix::Error::EACCES | nix::Error::ENOEXEC | nix::Error::EPERM | nix::Error::ENOENT | nix::Error::E2BIG
    ) {
        failure = Failure::program(failure.error);
    }
    Err(failure)
}

/// Returns what the program reads: a file in memory, so that nobody has to write while it reads.
fn stdin(plan: &Plan) -> io::Result<OwnedFd> {
    let Some(text) = &plan.stdin else {
        return Ok(File::open("/dev/null")?.into());
    };
    let mut file = File::from(memfd_create("stdin", MemfdFlags::CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file.into())
}
