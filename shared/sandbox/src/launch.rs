//! The launcher: a process that makes another one for each task, which starts a program confined, watches it, and leaves nothing of it.

use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{
    Pid, Signal, WaitOptions, getpid, set_child_subreaper, set_parent_process_death_signal, waitpid,
};

use crate::cgroup::Cgroup;
use crate::control::Control;
use crate::handover::{Handed, Tasks};
use crate::namespaces::Granted;
use crate::plan::{Means, Plan, Task};
use crate::processes::Processes;
use crate::program::Program;
use crate::report::{Abilities, Failure, Report};
use crate::settings::Settings;
use crate::start::Start;
use crate::watch::Watch;
use crate::{landlocked, namespaces, raw};

/// The argument that makes a program its own launcher.
pub(crate) const ARGUMENT: &str = "@launch";

/// Does the launcher's work and exits, if this process was started as one. Call it first in `main`, before any thread is started.
pub fn launch_if_asked() {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == ARGUMENT) {
        let code = i32::from(serve().is_err());
        std::process::exit(code);
    }
}

/// Makes a process for each task, until the service closes its end. A process that is forked costs a fraction of one that is executed:
/// this program is large.
fn serve() -> io::Result<()> {
    let tasks = Tasks::take()?;
    raw::close_on_exec()?;
    raw::collect_children(false);
    let mut settings = Settings::default();
    while let Some(handed) = tasks.next()? {
        settings.refresh();
        match raw::fork() {
            Ok(Some(_)) => {}
            Ok(None) => {
                drop(tasks);
                raw::collect_children(true);
                let code = i32::from(work(handed, &settings).is_err());
                std::process::exit(code);
            }
            Err(error) => {
                let failure = Failure::system("a process for the program cannot be made", error);
                handed.control.report(&Report::Unstarted(failure));
            }
        }
    }
    Ok(())
}

fn work(handed: Handed, settings: &Settings) -> io::Result<()> {
    // what a terminal sends to the service's processes is not for this one
    rustix::process::setpgid(None, None)?;
    let mut control = handed.take_place()?;
    match control.task()? {
        Task::Probe => control.report(&Report::Probed(probe())),
        Task::Run(plan) => {
            if let Err(failure) = run(&plan, settings, &control) {
                control.report(&Report::Unstarted(failure));
            }
        }
    }
    Ok(())
}

/// Runs a program to its end.
fn run(plan: &Plan, settings: &Settings, control: &Control) -> Result<(), Failure> {
    let program = Program::open(plan)?;
    let cgroup = Cgroup::make(&plan.limits);
    if let (Err(why), true) = (&cgroup, plan.demanded.contains(&Means::Cgroup)) {
        return Err(Failure::isolation(Means::Cgroup, why));
    }
    let cgroup = cgroup.ok();
    raw::run_first(true);
    let mut own = Own {
        start: Start {
            plan,
            program: &program,
            settings,
            cgroup: cgroup.as_ref(),
        },
        control,
        processes: Processes::Descendants,
    };
    if plan.namespaces {
        own.processes = Processes::OfNamespace;
        return own.in_namespaces();
    }
    if !plan.network || plan.demanded.contains(&Means::Namespaces) {
        return Err(Failure::isolation(Means::Namespaces, "it can make none"));
    }
    set_child_subreaper(Some(getpid())).map_err(|error| Failure::system("orphans would be lost", error))?;
    own.supervise(false)
}

/// What this process needs to run a program.
struct Own<'a> {
    start: Start<'a>,
    control: &'a Control,
    processes: Processes,
}

impl Own<'_> {
    /// Makes namespaces, and has their first process do the work. When that ends, the kernel ends every other.
    fn in_namespaces(&self) -> Result<(), Failure> {
        let failed = |error| Failure::system("the namespaces cannot be made", error);
        namespaces::enter(self.start.plan.network).map_err(failed)?;
        if let Some(first) = raw::fork().map_err(failed)? {
            wait_for(first);
            return Ok(());
        }
        // whoever ends this process's parent ends the program
        let bound = set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from);
        let ran = bound
            .and_then(|()| namespaces::furnish(&self.granted()))
            .map_err(failed)
            .and_then(|read_only| self.supervise(read_only));
        if let Err(failure) = ran {
            self.control.report(&Report::Unstarted(failure));
        }
        std::process::exit(0)
    }

    fn supervise(&self, read_only: bool) -> Result<(), Failure> {
        let mut started = self.start.start()?;
        started.isolation.extend(read_only.then(|| "read_only".to_owned()));
        self.control.report(&Report::Started(started.isolation));
        let watch = Watch {
            program: started.pid,
            processes: self.processes,
            control: self.control,
            limits: &self.start.plan.limits,
            folder: &self.start.plan.folder,
            cgroup: self.start.cgroup,
        };
        let ending = watch.run();
        self.control.report(&Report::Ended(ending));
        Ok(())
    }

    /// Returns what the program must find at its place.
    fn granted(&self) -> Granted {
        let folders = self
            .start
            .program
            .paths
            .iter()
            .filter_map(|path| landlocked::folder_of(path));
        let read = self.start.plan.read.iter().map(PathBuf::as_path).chain(folders);
        let write = self.start.plan.write.iter().chain([&self.start.plan.folder]);
        Granted {
            read: read.map(Path::to_owned).collect(),
            write: write.cloned().collect(),
            processes: self.start.plan.limits.processes,
        }
    }
}

fn wait_for(child: Pid) {
    while let Err(rustix::io::Errno::INTR) = waitpid(Some(child), WaitOptions::empty()) {}
}

/// Finds out what works, by doing it: this process is restricted from then on.
fn probe() -> Abilities {
    let namespaces = try_namespaces().err().map(|error| error.to_string());
    Abilities {
        cgroup: Cgroup::probe(),
        landlock: landlocked::probe(),
        namespaces,
    }
}

fn try_namespaces() -> io::Result<()> {
    let (mut reader, writer) = io::pipe()?;
    if let Some(child) = raw::fork()? {
        drop(writer);
        let mut told = String::new();
        io::Read::read_to_string(&mut reader, &mut told)?;
        wait_for(child);
        return match told.as_str() {
            "" => Err(io::Error::other("the process that tried has ended")),
            "made" => Ok(()),
            why => Err(io::Error::other(why.to_owned())),
        };
    }
    let tried = namespaces::enter(false).and_then(|()| raw::fork());
    match tried {
        Ok(Some(first)) => {
            drop(writer);
            wait_for(first);
        }
        tried => {
            let tried = tried.and_then(|_| namespaces::furnish(&Granted::default()));
            let told = tried.err().map_or("made".to_owned(), |error| error.to_string());
            let _closed = io::Write::write_all(&mut &writer, told.as_bytes());
        }
    }
    std::process::exit(0)
}
