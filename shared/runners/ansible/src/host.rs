//! The Ansible host process: started once, asked to fork each job, and started again when it has died.

mod heartbeat;

use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use callboard_core::base::causes::causes;
use callboard_process::{Children, JobFolders};
use rustix::fs::MemfdFlags;
use rustix::pipe::PipeFlags;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::Mutex;

use self::heartbeat::Heartbeat;
use crate::command::{JobSpec, Prepared};
use crate::packets::{Packets, borrow};
use crate::settings::AnsibleSettings;

/// How long the host may take to import Ansible.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Why the host could not be used.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// It could not be started, or could not be talked to.
    #[error("the Ansible host could not be started")]
    Io(#[from] io::Error),
    /// It did not say that it is ready.
    #[error("the Ansible host did not become ready within {} s", START_LIMIT.as_secs())]
    NotReady,
    /// It ended before it was ready; the log has what it printed.
    #[error("the Ansible host ended while it started; the service's log has what it printed")]
    Ended,
    /// It runs but does not answer.
    #[error("the Ansible host does not answer; it is replaced unless it does soon")]
    Silent,
}

/// The versions that the host runs with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Versions {
    /// Of ansible-core.
    pub ansible_core: String,
    /// Of ansible-runner.
    pub ansible_runner: String,
    /// Of Python.
    pub python: String,
}

/// Our ends of the channels of a job that the host was told to fork.
pub(crate) struct Channels {
    pub(crate) control: Packets,
    pub(crate) output: pipe::Receiver,
    /// What programs write to standard error, if it is kept apart.
    pub(crate) errors: Option<pipe::Receiver>,
    pub(crate) events: pipe::Receiver,
}

/// The host process, started when it is first needed.
pub(crate) struct Host {
    running: Mutex<Option<Running>>,
    /// Its process id, or 0 before there is one; it is set as soon as the process is started.
    pid: AtomicI32,
    children: Children,
}

struct Running {
    // dropped before the socket: a host that sees the socket close takes us for dead
    child: Child,
    heartbeat: Heartbeat,
    socket: Arc<Packets>,
    versions: Versions,
}

impl Host {
    pub(crate) fn new(children: Children) -> Self {
        Self {
            running: Mutex::default(),
            pid: AtomicI32::new(0),
            children,
        }
    }

    /// Starts the host unless it is running; returns its versions.
    pub(crate) async fn ready(&self, settings: &AnsibleSettings, root: &JobFolders) -> Result<Versions, HostError> {
        let mut running = self.running.lock().await;
        let host = self.ensure(&mut running, settings, root).await?;
        if host.heartbeat.is_missed() {
            return Err(HostError::Silent);
        }
        Ok(host.versions.clone())
    }

    /// Has the host fork a job. If the host turns out to be dead, it is started again, once.
    pub(crate) async fn fork(
        &self,
        settings: &AnsibleSettings,
        root: &JobFolders,
        prepared: &Prepared,
    ) -> Result<Channels, HostError> {
        let mut running = self.running.lock().await;
        let (channels, theirs) = open(prepared, settings.viewer.is_some())?;
        let host = self.ensure(&mut running, settings, root).await?;
        if let Err(error) = host.socket.send(b"job", &borrow(&theirs)).await {
            tracing::warn!(
                error = %causes(&error),
                "the Ansible host is gone and is started again"
            );
            *running = None;
            self.ensure(&mut running, settings, root)
                .await?
                .socket
                .send(b"job", &borrow(&theirs))
                .await?;
        }
        Ok(channels)
    }

    async fn ensure<'a>(
        &self,
        running: &'a mut Option<Running>,
        settings: &AnsibleSettings,
        root: &JobFolders,
    ) -> Result<&'a mut Running, HostError> {
        let alive = running
            .as_mut()
            .is_some_and(|running| matches!(running.child.try_wait(), Ok(None)));
        if !alive {
            *running = None;
        }
        match running {
            Some(host) => Ok(host),
            none => Ok(none.insert(self.start(settings, root).await?)),
        }
    }

    async fn start(&self, settings: &AnsibleSettings, root: &JobFolders) -> Result<Running, HostError> {
        let (socket, theirs) = Packets::pair()?;
        let mut child = command(settings, root, theirs)?.spawn()?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default();
        self.children.add(pid);
        let former = self.pid.swap(pid, Ordering::Relaxed);
        if former != pid {
            self.children.remove(former);
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(log(stderr));
        }
        let versions = tokio::time::timeout(START_LIMIT, greeting(&socket))
            .await
            .map_err(|_| HostError::NotReady)??;
        tracing::info!(
            host.pid = pid,
            ansible.core = versions.ansible_core,
            ansible.runner = versions.ansible_runner,
            python = versions.python,
            "the Ansible host is ready"
        );
        let socket = Arc::new(socket);
        Ok(Running {
            child,
            heartbeat: Heartbeat::start(&socket, pid),
            socket,
            versions,
        })
    }
}

fn command(settings: &AnsibleSettings, root: &JobFolders, socket: OwnedFd) -> io::Result<Command> {
    let home = root.host()?;
    let mut command = Command::new(&settings.environment.python);
    command
        .args(["-P", "-m", "callboard_host"])
        .arg(root.path())
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", &home)
        .env("TMPDIR", &home)
        .env("LC_ALL", "C.UTF-8")
        .env("PYTHONPATH", &settings.environment.host)
        .current_dir(&home)
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Ok(command)
}

/// Makes a job's channels: our ends, and the spec followed by the supervisor's ends and the rules of the job. Standard error goes through the pipe of
/// the output, which keeps the order, or through a pipe of its own if the two are to be kept `apart`.
fn open(prepared: &Prepared, apart: bool) -> io::Result<(Channels, Vec<OwnedFd>)> {
    let (control, their_control) = Packets::pair()?;
    let (output, their_output) = pipe()?;
    let (events, their_events) = pipe()?;
    let (errors, their_errors) = if apart {
        let (errors, theirs) = pipe()?;
        (Some(errors), theirs)
    } else {
        (None, their_output.try_clone()?)
    };
    let channels = Channels {
        control,
        output,
        errors,
        events,
    };
    let mut theirs = vec![
        spec_file(&prepared.spec)?,
        their_control,
        their_output,
        their_errors,
        their_events,
    ];
    theirs.extend(prepared.rules.as_ref().map(OwnedFd::try_clone).transpose()?);
    Ok((channels, theirs))
}

fn pipe() -> io::Result<(pipe::Receiver, OwnedFd)> {
    let (ours, theirs) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    Ok((pipe::Receiver::from_owned_fd(ours)?, theirs))
}

/// Puts the spec into a file in memory, so that its size has no limit and nothing of it is on disk.
fn spec_file(spec: &JobSpec) -> io::Result<OwnedFd> {
    let file = rustix::fs::memfd_create("callboard-job", MemfdFlags::CLOEXEC)?;
    let mut rest = &serde_json::to_vec(spec)?[..];
    while !rest.is_empty() {
        rest = &rest[rustix::io::write(&file, rest)?..];
    }
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0))?;
    Ok(file)
}

async fn greeting(socket: &Packets) -> Result<Versions, HostError> {
    let packet = socket.receive().await?.ok_or(HostError::Ended)?;
    serde_json::from_slice(&packet).map_err(|error| HostError::Io(error.into()))
}

/// Logs what the host and its supervisors print, which explains their faults; no job prints there.
async fn log(stderr: ChildStderr) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        tracing::warn!(line, "the Ansible host says");
    }
}
