//! Runs a program for a job before the job starts: git, ansible-galaxy, ssh-add. It has limits, and ends when dropped.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpgid};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::runtime::Handle;

use crate::JobUser;

/// How much output a program may print, and how many bytes of its errors are kept.
const MAX_OUTPUT_BYTES: usize = 16 * 1024 * 1024;
/// How much memory of its own a program may use, in KiB: some read what they fetch as a whole, and it may be made to swell.
const MAX_MEMORY_KIB: u64 = 2 * 1024 * 1024;
/// The message of programs when a file exceeds its size limit.
pub const TOO_LARGE: &str = "File too large";
/// The unit of `ulimit -f`.
const BLOCK_BYTES: u64 = 512;
/// How long a process that was killed is waited for: at least 10 s.
const TRIES: u32 = 500;
const PAUSE: Duration = Duration::from_millis(20);

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The program could not be started.
    #[error("{0} could not be run")]
    Start(String, #[source] io::Error),
    /// The program took too long and was ended.
    #[error("it took longer than {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The program printed more than is read.
    #[error("it printed more than {MAX_OUTPUT_BYTES} bytes")]
    TooMuch,
    /// The program ended with an error.
    #[error("it ended with {status}: {stderr}")]
    Failed {
        /// How the program ended.
        status: ExitStatus,
        /// What the program wrote to standard error, with surrounding white space removed.
        stderr: String,
    },
}

/// A program to run.
pub struct Program<'a> {
    /// The program's path or name, and its arguments.
    pub arguments: Vec<OsString>,
    /// The program's whole environment.
    pub env: &'a BTreeMap<String, String>,
    /// The program's working folder.
    pub folder: &'a Path,
    /// The maximum size of a file that the program writes.
    pub max_file_bytes: u64,
    /// How long the program may take.
    pub limit: Duration,
    /// As whom the program runs, unless that is this process's user.
    pub other: Option<Other<'a>>,
}

/// Another user as whom a program runs.
pub struct Other<'a> {
    /// The user.
    pub user: &'a JobUser,
    /// The program, and its first arguments, that becomes the user and then what follows.
    pub launcher: &'a [OsString],
    /// The folder that is the user's while the program runs. Before and after that it is ours, so that nobody else can put anything into it.
    pub own: &'a Path,
}

impl Program<'_> {
    /// Runs the program and returns its output.
    ///
    /// # Errors
    /// The program could not be started, took too long, printed more than 16 MiB, or failed.
    pub async fn run(&self) -> Result<Vec<u8>, ProgramError> {
        let Some(Other { user, own, .. }) = &self.other else {
            return self.run_in_time().await;
        };
        user.give(own).await.map_err(|error| self.not_started(error))?;
        let ran = self.run_in_time().await;
        let taken = user.take_back(own).await;
        ran.and_then(|output| taken.map(|()| output).map_err(|error| self.not_started(error)))
    }

    async fn run_in_time(&self) -> Result<Vec<u8>, ProgramError> {
        let ended = tokio::time::timeout(self.limit, self.run_unbounded()).await;
        ended.unwrap_or(Err(ProgramError::TimedOut(self.limit)))
    }

    fn not_started(&self, error: io::Error) -> ProgramError {
        ProgramError::Start(self.arguments[0].to_string_lossy().into_owned(), error)
    }

    async fn run_unbounded(&self) -> Result<Vec<u8>, ProgramError> {
        let failed = |error| self.not_started(error);
        let blocks = self.max_file_bytes.div_ceil(BLOCK_BYTES);
        // without the signal, a program that reaches the limit reports it
        let memory = format!(
            "most=$(ulimit -Hd); [ \"$most\" != unlimited ] && [ \"$most\" -lt {MAX_MEMORY_KIB} ] || most={MAX_MEMORY_KIB}; \
             ulimit -d \"$most\""
        );
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; {memory}; exec \"$@\"");
        let launcher = self.other.as_ref().map(|other| other.launcher).unwrap_or_default();
        let shell = ["/bin/sh", "-c", &script, "sh"].map(OsString::from);
        let command: Vec<&OsString> = launcher.iter().chain(&shell).chain(&self.arguments).collect();
        let mut child = Command::new(command[0])
            .args(&command[1..])
            .env_clear()
            // the program is found by this if the service dies; see `processes.rs`
            .env("TMPDIR", self.folder)
            .envs(self.env)
            .current_dir(self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let group = Group(child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (stdout, stderr, status) = tokio::join!(read(stdout), read(stderr), child.wait());
        let (stdout, stderr, status) = (
            stdout.map_err(failed)?,
            stderr.map_err(failed)?,
            status.map_err(failed)?,
        );
        drop(group);
        if stdout.len() > MAX_OUTPUT_BYTES {
            return Err(ProgramError::TooMuch);
        }
        if status.success() {
            return Ok(stdout);
        }
        let stderr = String::from_utf8_lossy(&stderr).trim().to_owned();
        Err(ProgramError::Failed { status, stderr })
    }
}

/// Returns the search path for the service's own programs.
#[must_use]
pub fn search_path() -> String {
    std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned())
}

/// Keeps the beginning of the output, one byte more than is allowed, and discards the rest, so that the program does not wait for
/// a reader.
async fn read(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    if let Some(mut pipe) = pipe {
        let most = MAX_OUTPUT_BYTES as u64 + 1;
        (&mut pipe).take(most).read_to_end(&mut kept).await?;
        tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    }
    Ok(kept)
}

/// A program's process group; everything that the program has started ends with it.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _gone = kill_process_group(group, Signal::KILL);
            // without a runtime the process ends, and nothing is left to it
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(collect(group));
            }
        }
    }
}

/// Collects what the program has left behind: its own children become ours when it ends.
async fn collect(group: Pid) {
    for _ in 0..TRIES {
        match waitpgid(group, WaitOptions::NOHANG) {
            // none is left
            Err(_) => return,
            Ok(Some(_)) => {}
            Ok(None) => tokio::time::sleep(PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(script: &str) -> io::Result<Result<String, ProgramError>> {
        let (folder, env) = (
            tempfile::tempdir()?,
            BTreeMap::from([("PATH".to_owned(), search_path())]),
        );
        let program = Program {
            arguments: ["sh", "-c", script].map(OsString::from).to_vec(),
            env: &env,
            folder: folder.path(),
            max_file_bytes: 1024,
            limit: Duration::from_secs(60),
            other: None,
        };
        let ran = program.run().await;
        Ok(ran.map(|output| String::from_utf8_lossy(&output).into_owned()))
    }

    #[tokio::test]
    async fn a_program_has_its_limits() -> io::Result<()> {
        let memory = run("ulimit -d").await?.map(|limit| limit.trim().parse::<u64>());
        assert!(matches!(memory, Ok(Ok(limit)) if limit <= MAX_MEMORY_KIB), "{memory:?}");
        let much = run(&format!("head -c {} /dev/zero", MAX_OUTPUT_BYTES + 1)).await?;
        assert!(matches!(much, Err(ProgramError::TooMuch)));
        let most = run(&format!("head -c {MAX_OUTPUT_BYTES} /dev/zero")).await?;
        assert_eq!(most.ok().map(|output| output.len()), Some(MAX_OUTPUT_BYTES));
        let large = run("head -c 4096 /dev/zero > large").await?;
        assert!(matches!(large, Err(ProgramError::Failed { stderr, .. }) if stderr.contains(TOO_LARGE)));
        Ok(())
    }
}
