//! The playbooks folder: which files of it may be run.

use std::path::{Path, PathBuf};

use callboard_core::ports::{PlaybookCatalog, PlaybookError};

/// A folder of playbooks. Nothing outside it is run, by whatever path or link.
#[derive(Clone, Debug)]
pub struct PlaybookFolder(PathBuf);

impl PlaybookFolder {
    /// Uses a folder.
    ///
    /// # Errors
    /// The folder is not there or cannot be read.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        let folder = folder.canonicalize()?;
        if folder.is_dir() {
            Ok(Self(folder))
        } else {
            Err(std::io::ErrorKind::NotADirectory.into())
        }
    }

    /// Returns the folder's real path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the real path of a playbook.
    ///
    /// # Errors
    /// [`PlaybookError`] says why it cannot be run.
    pub fn resolve(&self, playbook: &str) -> Result<PathBuf, PlaybookError> {
        let outside = || PlaybookError::Outside(playbook.to_owned());
        if playbook.contains('\0') || Path::new(playbook).is_absolute() {
            return Err(outside());
        }
        let found = self.0.join(playbook).canonicalize();
        let path = found.map_err(|_| PlaybookError::NotFound(playbook.to_owned()))?;
        if path.starts_with(&self.0) && path.is_file() {
            Ok(path)
        } else {
            Err(outside())
        }
    }
}

impl PlaybookCatalog for PlaybookFolder {
    fn check(&self, playbook: &str) -> Result<(), PlaybookError> {
        self.resolve(playbook).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_files_whose_real_path_is_inside_the_folder_are_playbooks() -> std::io::Result<()> {
        let root = tempfile::tempdir()?;
        let folder = root.path().join("playbooks");
        std::fs::create_dir_all(folder.join("sub"))?;
        std::fs::write(folder.join("sub/site.yml"), "")?;
        std::fs::write(root.path().join("secret.yml"), "")?;
        symlink(root.path().join("secret.yml"), folder.join("leak.yml"))?;
        symlink(root.path(), folder.join("up"))?;
        symlink("sub/site.yml", folder.join("alias.yml"))?;
        let playbooks = PlaybookFolder::open(&folder)?;
        let site = folder.canonicalize()?.join("sub/site.yml");
        assert_eq!(playbooks.resolve("sub/site.yml"), Ok(site.clone()));
        assert_eq!(playbooks.resolve("alias.yml"), Ok(site));
        for outside in [
            "../secret.yml",
            "leak.yml",
            "up/secret.yml",
            "/etc/passwd",
            "sub",
            "",
            "a\0b",
        ] {
            assert_eq!(
                playbooks.resolve(outside),
                Err(PlaybookError::Outside(outside.to_owned()))
            );
        }
        assert_eq!(
            playbooks.resolve("no.yml"),
            Err(PlaybookError::NotFound("no.yml".to_owned()))
        );
        Ok(())
    }
}
