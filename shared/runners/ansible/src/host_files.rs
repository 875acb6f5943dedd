//! The Python host package, embedded in the binary and written to disk once for each version of it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use uuid::Uuid;

use crate::digest::digest;

macro_rules! host_file {
    ($path:literal) => {
        ($path, include_str!(concat!("../host/callboard_host/", $path)))
    };
}

const PACKAGE: &str = "callboard_host";

const FILES: &[(&str, &str)] = &[
    host_file!("__init__.py"),
    host_file!("__main__.py"),
    host_file!("access.py"),
    host_file!("aftermath.py"),
    host_file!("askpass.py"),
    host_file!("awx.py"),
    host_file!("configuration.py"),
    host_file!("events.py"),
    host_file!("failures.py"),
    host_file!("forks.py"),
    host_file!("galaxy.py"),
    host_file!("homes.py"),
    host_file!("host.py"),
    host_file!("isolation.py"),
    host_file!("messages.py"),
    host_file!("playbook.py"),
    host_file!("prime.py"),
    host_file!("processes.py"),
    host_file!("protocol.py"),
    host_file!("recorder.py"),
    host_file!("secrecy.py"),
    host_file!("semaphores.py"),
    host_file!("settings.py"),
    host_file!("stock.py"),
    host_file!("streams.py"),
    host_file!("supervisor.py"),
    host_file!("unfinished.py"),
    host_file!("user.py"),
];

/// Writes the package below the cache if it is not there yet, and returns the folder that holds it.
///
/// # Errors
/// The cache cannot be written.
pub(crate) fn ensure(cache: &Path) -> io::Result<PathBuf> {
    let parts = FILES.iter().flat_map(|(path, text)| [path.as_bytes(), text.as_bytes()]);
    let folder = cache.join(format!("host-{}", digest(parts)));
    if !is_whole(&folder) {
        write(cache, &folder)?;
    }
    Ok(folder)
}

/// Returns whether every file has its full length: a crash may leave a file empty.
fn is_whole(folder: &Path) -> bool {
    let length = |path| fs::metadata(folder.join(PACKAGE).join(path)).map(|file| file.len());
    FILES
        .iter()
        .all(|(path, text)| length(path).is_ok_and(|length| length == text.len() as u64))
}

fn write(cache: &Path, folder: &Path) -> io::Result<()> {
    let part = cache.join(format!("host-{}.part", Uuid::new_v4()));
    let written = write_files(&part.join(PACKAGE)).and_then(|()| replace(&part, folder));
    if written.is_err() {
        let _ = fs::remove_dir_all(&part);
    }
    // Another process may have put its own folder there first, which is as good.
    if is_whole(folder) { Ok(()) } else { written }
}

fn write_files(package: &Path) -> io::Result<()> {
    for (path, text) in FILES {
        let file = package.join(path);
        file.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(file, text)?;
    }
    Ok(())
}

fn replace(part: &Path, folder: &Path) -> io::Result<()> {
    if folder.exists() && !is_whole(folder) {
        fs::remove_dir_all(folder)?;
    }
    fs::rename(part, folder)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::error::Error;

    use super::*;

    fn python_files(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) -> Result<(), Box<dyn Error>> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                python_files(root, &path, found)?;
            } else if path.extension().is_some_and(|extension| extension == "py") {
                let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
                found.insert(name, fs::read_to_string(&path)?);
            }
        }
        Ok(())
    }

    fn table() -> BTreeMap<String, String> {
        FILES
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn the_binary_holds_every_file_of_the_package() -> Result<(), Box<dyn Error>> {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("host").join(PACKAGE);
        let mut found = BTreeMap::new();
        python_files(&package, &package, &mut found)?;
        assert_eq!(table().keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
        assert!(table() == found, "a file has changed since the binary was built");
        Ok(())
    }

    #[test]
    fn the_package_is_written_once_and_again_where_a_file_is_lost() -> Result<(), Box<dyn Error>> {
        let cache = tempfile::tempdir()?;
        let folder = ensure(cache.path())?;
        let kept = folder.join("kept");
        fs::write(&kept, "")?;
        assert_eq!(ensure(cache.path())?, folder);
        assert!(kept.exists());

        fs::write(folder.join(PACKAGE).join("host.py"), "")?;
        assert_eq!(ensure(cache.path())?, folder);
        assert!(!kept.exists());
        let mut found = BTreeMap::new();
        let package = folder.join(PACKAGE);
        python_files(&package, &package, &mut found)?;
        assert!(table() == found);
        assert_eq!(fs::read_dir(cache.path())?.count(), 1);
        Ok(())
    }

    #[test]
    fn several_writers_at_once_make_one_whole_package() -> Result<(), Box<dyn Error>> {
        let cache = tempfile::tempdir()?;
        let write = || ensure(cache.path());
        let folders = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(write)).collect();
            threads
                .into_iter()
                .filter_map(|thread| thread.join().ok())
                .collect::<io::Result<Vec<_>>>()
        })?;
        assert_eq!(folders.len(), 8);
        assert!(folders.iter().all(|folder| is_whole(folder)));
        assert_eq!(fs::read_dir(cache.path())?.count(), 1);
        Ok(())
    }
}
