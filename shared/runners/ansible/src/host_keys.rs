//! Explains why ssh refused a host for its key: which key it is, and what to do about it, in place of what ssh said.

mod refusal;
mod words;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use callboard_core::credential::known_hosts::HostKey;
use callboard_kind_ansible::failures::{FailureKind, HostFailure};
use callboard_kind_ansible::policy::HostKeyChecking;
use callboard_process::program::{Program, search_path};

use self::refusal::{Refusal, Why};
use crate::settings::Home;

const SCAN_SECONDS: &str = "5";
/// The time limit of a scan, which looks up the name first; `ssh-keyscan` has no limit for that.
const SCAN_LIMIT: Duration = Duration::from_secs(8);
const MAX_FILE_BYTES: u64 = 1 << 20;
const USUAL_PORT: &str = "22";

/// What the sentence depends on besides what ssh said.
pub(crate) struct Facts<'a> {
    /// Whose ssh it was.
    pub(crate) home: Home,
    /// The folder that holds the host keys given to the job.
    pub(crate) folder: &'a Path,
    /// What runs a program as the job's user, unless that is the service's.
    pub(crate) launcher: &'a [OsString],
    /// What the policy says about keys that are not known.
    pub(crate) checking: HostKeyChecking,
    /// Returns how an operator removes a host's key that an earlier job has accepted.
    pub(crate) how_to_forget: &'a (dyn Fn(&str) -> String + Sync),
}

/// Replaces what ssh said about each host that it refused for its key with a sentence. The first host whose key is not known
/// is asked for it; that key is shown and never accepted.
pub(crate) async fn explain(failures: &mut [HostFailure], facts: &Facts<'_>) {
    let mut asked = false;
    for failure in failures {
        let Some(refusal) = Refusal::read(&failure.message).filter(|_| failure.kind == FailureKind::Unreachable) else {
            continue;
        };
        let mut seen = None;
        if refusal.why == Why::Unknown && !asked {
            seen = scan(&refusal, facts).await;
            asked = true;
        }
        failure.message = words::sentence(&refusal, seen.as_ref(), facts);
    }
}

/// Asks a host for its key, of the type that it showed to ssh.
async fn scan(refusal: &Refusal, facts: &Facts<'_>) -> Option<HostKey> {
    let name = refusal.host.as_deref()?;
    let (host, port) = address(name);
    let mut arguments = vec!["ssh-keyscan", "-T", SCAN_SECONDS, "-p", port];
    let kind = refusal.kind.as_deref()?.to_ascii_lowercase();
    arguments.extend(["-t", &kind, "--", host]);
    let program = Program {
        arguments: facts
            .launcher
            .iter()
            .cloned()
            .chain(arguments.into_iter().map(Into::into))
            .collect(),
        env: &BTreeMap::from([("PATH".to_owned(), search_path())]),
        folder: facts.folder.parent()?,
        max_file_bytes: MAX_FILE_BYTES,
        limit: SCAN_LIMIT,
        other: None,
    };
    let found = String::from_utf8_lossy(&program.run().await.ok()?).into_owned();
    let key = found.lines().find_map(HostKey::of_any_line)?;
    Some(HostKey {
        host: name.to_owned(),
        ..key
    })
}

/// Splits the name by which ssh looks up a key into an address and a port.
fn address(name: &str) -> (&str, &str) {
    let bracketed = name.strip_prefix('[').and_then(|rest| rest.split_once("]:"));
    bracketed.unwrap_or((name, USUAL_PORT))
}

#[cfg(test)]
mod tests;
