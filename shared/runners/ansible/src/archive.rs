//! Archives of trees: how the cache keeps a source, and how each job gets its own copy.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use callboard_core::run::{Archive, ArchiveCache};
use tar::EntryType;

use crate::blocking::{Going, on_a_thread};
use crate::room::Room;

/// The unit in which an archive is written.
const BLOCK_BYTES: u64 = 512;
/// The size of the buffer for reading and writing archives.
const BUFFER_BYTES: usize = 1 << 20;

/// Unpacks an archive into a folder, which is empty or is created. Nothing is written outside the folder, whatever the
/// archive says, and no more than there is room for.
pub(crate) async fn unpack(archive: PathBuf, folder: PathBuf, room: Arc<Room>) -> io::Result<()> {
    on_a_thread(move |going| {
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        let mut tree = Tree {
            root: folder,
            folders: HashSet::new(),
            hasher: RandomState::new(),
            room: &room,
            going,
        };
        let mut archive = tar::Archive::new(BufReader::with_capacity(BUFFER_BYTES, File::open(archive)?));
        for entry in archive.entries()? {
            tree.add(&mut entry?)?;
        }
        Ok(())
    })
    .await
}

/// Returns an archive from the cache. One that is cut off, as a machine that lost its power may have left it, is not there.
pub(crate) async fn cached(cache: &dyn ArchiveCache, key: &str, folder: &Path) -> Option<Archive> {
    // if the cache does not answer, what it holds is fetched again; the job does not fail
    let found = cache.get(key, folder).await.ok().flatten()?;
    let path = found.path.clone();
    match on_a_thread(move |going| check_whole(&path, going)).await {
        Ok(()) => Some(found),
        Err(error) => {
            tracing::warn!(archive = key, %error, "an archive in the cache is damaged; what it holds is fetched again");
            None
        }
    }
}

/// Checks that an archive has its end: two blocks of zeros after the last entry.
fn check_whole(archive: &Path, going: &Going) -> io::Result<()> {
    let mut file = File::open(archive)?;
    let mut end = 0;
    for entry in tar::Archive::new(&file).entries_with_seek()? {
        going.check()?;
        let entry = entry?;
        end = entry.raw_file_position() + entry.size().next_multiple_of(BLOCK_BYTES);
    }
    let mut last = [0; 2 * BLOCK_BYTES as usize];
    file.seek(SeekFrom::Start(end))?;
    file.read_exact(&mut last)?;
    if last.iter().all(|&byte| byte == 0) {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "it does not end as an archive does",
    ))
}

/// A tree that is being unpacked. It writes only into folders that it has made itself, and never over anything, so that no
/// link can lead it elsewhere.
struct Tree<'a> {
    root: PathBuf,
    /// Hashes of the paths of its folders, because an archive may have many folders with long paths.
    folders: HashSet<u64>,
    hasher: RandomState,
    room: &'a Room,
    going: &'a Going,
}

impl Tree<'_> {
    fn add(&mut self, entry: &mut tar::Entry<'_, impl Read>) -> io::Result<()> {
        self.going.check()?;
        self.room.take(entry.size(), 1)?;
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        let path = inner_path(&entry.path()?)?;
        if kind.is_dir() {
            return self.add_folder(&path);
        }
        self.add_folder(path.parent().unwrap_or(Path::new("")))?;
        let target = self.root.join(&path);
        match kind {
            EntryType::Regular | EntryType::Continuous => {
                let executable = entry.header().mode()? & 0o111 != 0;
                let mode = if executable { 0o755 } else { 0o644 };
                let mut file = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(mode)
                    .open(target)?;
                io::copy(&mut self.going.reader(entry), &mut file).map(drop)
            }
            EntryType::Symlink => {
                let link = entry.link_name()?.ok_or(io::ErrorKind::InvalidData)?;
                symlink(link, target)
            }
            _ => Err(refused(&path, "is no file, folder or symbolic link")),
        }
    }

    fn add_folder(&mut self, path: &Path) -> io::Result<()> {
        let hash = self.hasher.hash_one(path);
        if path.as_os_str().is_empty() || self.folders.contains(&hash) {
            return Ok(());
        }
        self.add_folder(path.parent().unwrap_or(Path::new("")))?;
        fs::create_dir(self.root.join(path))?;
        self.folders.insert(hash);
        Ok(())
    }
}

/// Returns the path of an entry without `.`; refuses a path that leads out of the tree.
fn inner_path(path: &Path) -> io::Result<PathBuf> {
    path.components()
        .filter(|part| !matches!(part, Component::CurDir))
        .map(|part| match part {
            Component::Normal(name) => Ok(name),
            _ => Err(refused(path, "leads out of the tree")),
        })
        .collect()
}

fn refused(path: &Path, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{} {why}", path.display()))
}

/// Writes an archive of a folder's content.
pub(crate) async fn pack(folder: PathBuf, archive: PathBuf) -> io::Result<()> {
    on_a_thread(move |going| {
        let file = going.writer(File::create_new(archive)?);
        let file = BufWriter::with_capacity(BUFFER_BYTES, file);
        let mut builder = tar::Builder::new(file);
        builder.follow_symlinks(false);
        builder.append_dir_all(".", folder)?;
        builder.into_inner()?.flush()
    })
    .await
}

/// Returns the real path of something inside a tree; `None` if it does not exist or leads out of the tree.
pub(crate) fn inside(tree: &Path, path: &str) -> Option<PathBuf> {
    let tree = tree.canonicalize().ok()?;
    tree.join(path)
        .canonicalize()
        .ok()
        .filter(|found| found.starts_with(&tree))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Tested = Result<(), Box<dyn std::error::Error>>;

    fn header(kind: EntryType, size: usize) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size as u64);
        header.set_mode(0o644);
        header
    }

    #[tokio::test]
    async fn a_tree_comes_out_as_it_went_in() -> Tested {
        let folder = tempfile::tempdir()?;
        let [tree, archive, copy] = ["tree", "archive.tar", "copy"].map(|name| folder.path().join(name));
        fs::create_dir_all(tree.join("a/b"))?;
        fs::write(tree.join("a/b/file"), "content")?;
        fs::write(tree.join("run"), "#!/bin/sh\n")?;
        fs::set_permissions(tree.join("run"), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        symlink("a/b", tree.join("link"))?;
        pack(tree, archive.clone()).await?;
        unpack(archive, copy.clone(), Room::new(u64::MAX)).await?;
        assert_eq!(fs::read(copy.join("link/file"))?, b"content");
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(copy.join("run"))?.permissions());
        assert_eq!(mode & 0o777, 0o755);
        Ok(())
    }

    #[tokio::test]
    async fn an_archive_that_is_cut_off_anywhere_is_not_whole() -> Tested {
        let folder = tempfile::tempdir()?;
        let [tree, archive] = ["tree", "archive.tar"].map(|name| folder.path().join(name));
        fs::create_dir_all(tree.join("a".repeat(200)))?;
        fs::write(tree.join("a".repeat(200)).join("file"), "content")?;
        fs::write(tree.join("zeros"), [0; 4096])?;
        pack(tree, archive.clone()).await?;
        let going = Going::default();
        check_whole(&archive, &going)?;
        let length = fs::metadata(&archive)?.len();
        for cut in (0..length).rev().filter(|cut| cut % BLOCK_BYTES < 2) {
            let cut_off = folder.path().join("cut.tar");
            fs::copy(&archive, &cut_off)?;
            File::options().write(true).open(&cut_off)?.set_len(cut)?;
            assert!(check_whole(&cut_off, &going).is_err(), "{cut} of {length} bytes");
        }
        Ok(())
    }

    #[tokio::test]
    async fn nothing_is_written_through_a_link_or_outside_the_tree() -> Tested {
        let folder = tempfile::tempdir()?;
        let outside = folder.path().join("outside");
        fs::create_dir(&outside)?;
        for (number, path) in ["link/file", "link", "../outside/file", "/outside/file"]
            .into_iter()
            .enumerate()
        {
            let archive = folder.path().join(format!("{number}.tar"));
            let mut builder = tar::Builder::new(File::create(&archive)?);
            builder.append_link(&mut header(EntryType::Symlink, 0), "link", &outside)?;
            let mut evil = header(EntryType::Regular, 4);
            evil.as_gnu_mut().ok_or("a GNU header")?.name[..path.len()].copy_from_slice(path.as_bytes());
            evil.set_cksum();
            builder.append(&evil, &b"evil"[..])?;
            builder.into_inner()?;
            let unpacked = unpack(
                archive,
                folder.path().join(format!("tree-{number}")),
                Room::new(u64::MAX),
            )
            .await;
            assert!(unpacked.is_err(), "{path}");
            assert_eq!(fs::read_dir(&outside)?.count(), 0, "{path}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn no_more_is_unpacked_than_there_is_room_for_all_trees_together() -> Tested {
        let folder = tempfile::tempdir()?;
        let archive = folder.path().join("archive.tar");
        let mut builder = tar::Builder::new(File::create(&archive)?);
        for number in 0..10 {
            builder.append_data(
                &mut header(EntryType::Regular, 1000),
                number.to_string(),
                &[0_u8; 1000][..],
            )?;
        }
        builder.into_inner()?;
        let room = Room::new(15_000);
        unpack(archive.clone(), folder.path().join("first"), Arc::clone(&room)).await?;
        let second = unpack(archive, folder.path().join("second"), room).await;
        let told = second.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told.ends_with("is larger than the limit of 15000 bytes"), "{told}");
        assert!(fs::read_dir(folder.path().join("second"))?.count() < 10);
        Ok(())
    }

    #[tokio::test]
    async fn an_archive_of_which_nobody_wants_the_tree_any_more_is_not_unpacked_to_its_end() -> Tested {
        const LARGE: usize = 1 << 29;
        let folder = tempfile::tempdir()?;
        let (archive, tree) = (folder.path().join("archive.tar"), folder.path().join("tree"));
        let mut large = header(EntryType::Regular, LARGE);
        large.set_path("large")?;
        large.set_cksum();
        // the content is a hole
        fs::write(&archive, large.as_bytes())?;
        File::options()
            .write(true)
            .open(&archive)?
            .set_len(LARGE as u64 + 2048)?;
        let unpacking = tokio::spawn(unpack(archive, tree.clone(), Room::new(u64::MAX)));
        while !tree.join("large").exists() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        unpacking.abort();
        assert!(unpacking.await.is_err_and(|error| error.is_cancelled()));
        // the folder is moved away, as its next user would do, and nothing is made there again
        let size = |path: &Path| fs::metadata(path).map(|found| found.len());
        fs::rename(&tree, folder.path().join("taken"))?;
        let mut last = u64::MAX;
        while size(&folder.path().join("taken/large"))? != last {
            last = size(&folder.path().join("taken/large"))?;
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        assert!(last < LARGE as u64, "{last}");
        assert!(!tree.exists());
        Ok(())
    }
}
