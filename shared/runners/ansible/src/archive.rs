//! Archives of trees: how the cache keeps a source, and how each job gets a copy of its own.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The buffer for reading and writing archives.
const BUFFER_BYTES: usize = 1 << 20;

/// Writes the files of an archive below a folder that is made for it. Nothing is written outside it, whatever the archive says.
pub(crate) async fn unpack(archive: PathBuf, folder: PathBuf) -> io::Result<()> {
    on_a_thread(move || {
        fs::create_dir_all(&folder)?;
        let mut archive = tar::Archive::new(BufReader::with_capacity(BUFFER_BYTES, File::open(archive)?));
        archive.set_preserve_mtime(false);
        for entry in archive.entries()? {
            let mut entry = entry?;
            if !entry.unpack_in(&folder)? {
                let path = entry.path()?.display().to_string();
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{path} leads out of the tree"),
                ));
            }
        }
        Ok(())
    })
    .await
}

/// Writes an archive of a folder's content.
pub(crate) async fn pack(folder: PathBuf, archive: PathBuf) -> io::Result<()> {
    on_a_thread(move || {
        let file = BufWriter::with_capacity(BUFFER_BYTES, File::create_new(archive)?);
        let mut builder = tar::Builder::new(file);
        builder.follow_symlinks(false);
        builder.append_dir_all(".", folder)?;
        builder.into_inner()?.flush()
    })
    .await
}

/// Returns the real path of something inside a tree; `None` if it is not there or leads out of it.
pub(crate) fn inside(tree: &Path, path: &str) -> Option<PathBuf> {
    let tree = tree.canonicalize().ok()?;
    tree.join(path)
        .canonicalize()
        .ok()
        .filter(|found| found.starts_with(&tree))
}

async fn on_a_thread(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
