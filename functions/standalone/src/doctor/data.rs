//! Checks who owns the data folder, and who uses it.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use callboard_core::care::Finding;
use callboard_embedded::FolderLock;
use rustix::fs::{Access, access};
use rustix::process::geteuid;

use super::contents;

const FOR_OTHERS: u32 = 0o077;

/// Checks a data folder and everything in it. If the folder is missing or unusable, only that is reported.
pub(super) fn look(data: &Path) -> Vec<Finding> {
    let folder = match fs::metadata(data) {
        Ok(found) if !found.is_dir() => {
            let detail = format!("{} is no folder.", data.display());
            return vec![Finding::fault("folder", detail, "Name another with --data.")];
        }
        Ok(found) => folder(data, &found),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return vec![Finding::warning(
                "folder",
                format!("There is no data folder {} yet.", data.display()),
                "The first `callboard run` or `callboard serve` makes it; --data names another.",
            )];
        }
        Err(error) => {
            let detail = format!("The data folder {} cannot be looked at: {error}.", data.display());
            return vec![Finding::fault("folder", detail, "Name another with --data.")];
        }
    };
    let mut findings = vec![folder, service(data)];
    findings.extend(contents::look(data));
    findings
}

fn folder(data: &Path, found: &Metadata) -> Finding {
    let name = data.display();
    let user = geteuid().as_raw();
    if found.uid() != user {
        let detail = format!(
            "The data folder {name} belongs to user {}, and this is user {user}.",
            found.uid()
        );
        return Finding::fault(
            "folder",
            detail,
            "Run Callboard as its owner, or name another folder with --data.",
        );
    }
    if let Err(error) = access(data, Access::WRITE_OK | Access::EXEC_OK) {
        let detail = format!("The data folder {name} cannot be written: {error}.");
        return Finding::fault(
            "folder",
            detail,
            format!("chmod 700 {name}, or mount its file system read-write."),
        );
    }
    let mode = found.mode() & 0o777;
    if mode & FOR_OTHERS != 0 {
        let detail = format!("The data folder {name} is open to other users (mode {mode:03o}).");
        return Finding::warning("folder", detail, format!("chmod 700 {name}."));
    }
    Finding::ok(
        "folder",
        format!("The data folder {name} is private to this user, and can be written."),
    )
}

fn service(data: &Path) -> Finding {
    match FolderLock::holder(data) {
        Ok(None) => Finding::ok("service", "No `callboard serve` uses the data folder."),
        Ok(Some(process)) => Finding::ok(
            "service",
            format!("`callboard serve` uses the data folder: process {process}."),
        ),
        Err(error) => Finding::fault(
            "service",
            format!("The lock of the data folder, callboard.lock, cannot be read: {error}."),
            "Make it a file that its owner can read and write, or delete it while no service runs.",
        ),
    }
}
