//! Files that only the job's user can read, and files that the job may have replaced.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Writes a new file with mode 0600.
///
/// # Errors
/// The file exists already, or cannot be written.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    write(path, content, 0o600)
}

/// Writes a new shell script with mode 0700.
///
/// # Errors
/// As for [`write_private`].
pub fn write_script(path: &Path, body: &str) -> io::Result<()> {
    write(path, format!("#!/bin/sh\n{body}\n").as_bytes(), 0o700)
}

fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)
}

/// Opens a file that a job, or a host, may have named or replaced. Refuses links and anything that would make the open block.
///
/// # Errors
/// The path is not a regular file, or cannot be opened.
pub fn open_untrusted(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"))
    }
}

/// Reads at most `max_bytes` bytes of such a file, starting at byte `from`.
///
/// # Errors
/// As for [`open_untrusted`].
pub fn read_untrusted(path: &Path, from: u64, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut file = open_untrusted(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut content = Vec::new();
    file.take(max_bytes).read_to_end(&mut content)?;
    Ok(content)
}
