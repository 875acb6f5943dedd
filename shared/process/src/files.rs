//! Files that only the job's user can read, and files that the job may have replaced.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
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

/// Writes a new file that everybody can read who reaches it, with mode 0644.
///
/// # Errors
/// As for [`write_private`].
pub fn write_shared(path: &Path, content: &[u8]) -> io::Result<()> {
    write(path, content, 0o644)
}

/// Creates a new file with mode 0600, for content that is too large to be in memory twice.
///
/// # Errors
/// The file exists already, or cannot be created.
pub fn create_private(path: &Path) -> io::Result<File> {
    create(path, 0o600)
}

fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    create(path, mode)?.write_all(content)
}

fn create(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// Opens a file that a job, or a host, may have named or replaced. Refuses links and anything that would make the open block.
///
/// # Errors
/// The path is not a regular file, or cannot be opened.
pub fn open_untrusted(path: &Path) -> io::Result<File> {
    open(path, OFlags::NONBLOCK | OFlags::NOFOLLOW)
}

/// Opens such a file if it is what is at its path, also where somebody else may have put links on the way to it.
///
/// # Errors
/// As for [`open_untrusted`]; or a link leads elsewhere.
pub fn open_in_place(path: &Path) -> io::Result<File> {
    let file = open_untrusted(path)?;
    let real = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    if real == path {
        Ok(file)
    } else {
        Err(io::Error::new(ErrorKind::InvalidInput, "a link leads to another file"))
    }
}

fn open(path: &Path, flags: OFlags) -> io::Result<File> {
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
    read_part(open_untrusted(path)?, from, max_bytes)
}

/// Reads at most `max_bytes` bytes of an open file, starting at byte `from`.
///
/// # Errors
/// It cannot be read.
pub fn read_part(mut file: File, from: u64, max_bytes: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from))?;
    let mut content = Vec::new();
    file.take(max_bytes).read_to_end(&mut content)?;
    Ok(content)
}

/// Reads a whole file, even through links; `None` if it has more than `max_bytes` bytes, whatever size the system states for it.
///
/// # Errors
/// The path is not a regular file, cannot be opened, or would block.
pub fn read_bounded(path: &Path, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let file = open(path, OFlags::NONBLOCK)?;
    let mut content = Vec::new();
    file.take(max_bytes + 1).read_to_end(&mut content)?;
    Ok((content.len() as u64 <= max_bytes).then_some(content))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_to_which_a_link_leads_is_not_in_its_place() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let real = folder.path().canonicalize()?;
        fs::create_dir(real.join("folder"))?;
        fs::write(real.join("folder/file"), "")?;
        symlink("folder", real.join("link"))?;
        assert!(open_in_place(&real.join("folder/file")).is_ok());
        assert!(open_untrusted(&real.join("link/file")).is_ok());
        assert!(open_in_place(&real.join("link/file")).is_err());
        Ok(())
    }

    #[test]
    fn a_file_is_read_up_to_a_size_whatever_it_is() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
        fs::write(&file, "0123456789")?;
        symlink(&file, &link)?;
        for path in [&file, &link] {
            assert_eq!(read_bounded(path, 10)?.as_deref(), Some(&b"0123456789"[..]));
            assert_eq!(read_bounded(path, 9)?, None);
        }
        // the system states that it has no bytes
        assert_eq!(read_bounded(Path::new("/proc/self/maps"), 100)?, None);
        assert!(read_bounded(folder.path(), 10).is_err());
        assert!(read_bounded(Path::new("/dev/zero"), 10).is_err());
        Ok(())
    }
}
