//! The contract of runners, on programs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use callboard_core::base::id::JobId;
use callboard_core::output::LogStore;
use callboard_core::request::JobRequest;
use callboard_core::run::Runner;
use callboard_embedded::FileLogStore;
use callboard_testkit::contract::runner::TestRunner;
use callboard_testkit::processes::with_marker;
use serde_json::json;
use tempfile::TempDir;

use crate::world::{Service, TOKEN, launcher, program, runner, script};

struct Shell;

async fn make() -> anyhow::Result<(Shell, TempDir)> {
    Ok((Shell, tempfile::tempdir()?))
}

/// Makes a request that always can be made.
fn made(service: &Service) -> JobRequest {
    service.request().unwrap_or_else(|fault| unreachable!("{fault}"))
}

/// Returns a word that no other process has among its arguments, and writes the id of the process that has it to a file: in its own
/// namespace, a program does not know the id that it has here.
fn marker(file: &Path) -> String {
    let (marker, file) = (format!("marker-{}", JobId::new()), file.to_owned());
    let wanted = marker.clone();
    std::thread::spawn(move || {
        while file.parent().is_some_and(Path::exists) {
            if let Some(pid) = with_marker(&wanted).into_iter().find(|pid| has_argument(*pid, &wanted)) {
                let _folder_is_gone = std::fs::write(&file, format!("{pid}\n"));
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    marker
}

fn has_argument(pid: u32, wanted: &str) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0)
        .any(|argument| argument == wanted.as_bytes())
}

impl TestRunner for Shell {
    fn runner(&self) -> Arc<dyn Runner> {
        Arc::new(runner(launcher()).unwrap_or_else(|fault| unreachable!("{fault}")))
    }

    fn logs(&self, folder: &Path) -> Arc<dyn LogStore> {
        Arc::new(FileLogStore::new(folder.to_owned()))
    }

    fn prints(&self, lines: &[String]) -> JobRequest {
        let reads = script("exec cat").config("stdin", "input");
        made(&reads.input(json!({"lines": lines})))
    }

    fn fails(&self) -> JobRequest {
        made(&script("echo it was to fail >&2; exit 3"))
    }

    fn leaves(&self, pid_file: &Path) -> JobRequest {
        let (marker, file) = (marker(pid_file), pid_file.display());
        let text = format!(
            "setsid sh -c 'while :; do sleep 600; done' {marker} > /dev/null 2>&1 < /dev/null & while [ ! -s {file} ]; do sleep 0.05; done"
        );
        let folder = pid_file.parent().map(Path::display).map(|path| path.to_string());
        made(&script(&text).policy("read_paths", json!([folder])))
    }

    fn works(&self, pid_file: &Path, deaf: bool) -> JobRequest {
        let trap = if deaf { "trap '' TERM; " } else { "" };
        let text = format!("{trap}while :; do sleep 0.1; done");
        made(&program("/bin/sh", &["-c", &text, &marker(pid_file)]))
    }

    fn tells(&self) -> (JobRequest, String) {
        let service = script("echo it is $PASSWORD, you know; echo $PASSWORD >&2");
        let service = service.config("environment", json!({"PASSWORD": {"credential": "of-the-program"}}));
        (made(&service), TOKEN.to_owned())
    }
}

callboard_testkit::runner_contract!(make);
