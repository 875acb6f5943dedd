//! The playbooks folder: which of its files may be run, and which texts are names of collection playbooks.

use std::path::{Path, PathBuf};

use callboard_kind_ansible::catalog::{PlaybookCatalog, PlaybookError};

/// A folder of playbooks. Nothing outside it is run, whatever the path or link; playbooks of collections are run by name.
#[derive(Clone, Debug)]
pub struct PlaybookFolder(PathBuf);

/// What a request's playbook is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Playbook {
    /// A file of the folder: its real path.
    File(PathBuf),
    /// The name of a collection's playbook; only Ansible knows where a job's collections are.
    OfCollection,
}

impl PlaybookFolder {
    /// Opens a folder of playbooks.
    ///
    /// # Errors
    /// The folder does not exist or cannot be read.
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

    /// Finds a playbook; a file takes precedence over a name.
    ///
    /// # Errors
    /// [`PlaybookError`] says why it cannot be run.
    pub fn resolve(&self, playbook: &str) -> Result<Playbook, PlaybookError> {
        let outside = || PlaybookError::Outside(playbook.to_owned());
        if playbook.contains('\0') || Path::new(playbook).is_absolute() {
            return Err(outside());
        }
        match self.0.join(playbook).canonicalize() {
            Ok(path) if path.starts_with(&self.0) && path.is_file() => Ok(Playbook::File(path)),
            Ok(_) => Err(outside()),
            Err(_) if is_collection_playbook(playbook) => Ok(Playbook::OfCollection),
            Err(_) => Err(PlaybookError::NotFound(playbook.to_owned())),
        }
    }
}

/// Returns whether a text is the name of a collection's playbook, as Ansible reads it: `namespace.collection.playbook`,
/// optionally with folders in between and a file extension. Such a name is not a path.
#[must_use]
pub fn is_collection_playbook(name: &str) -> bool {
    let stem = [".yml", ".yaml"].iter().find_map(|ending| name.strip_suffix(ending));
    let parts: Vec<&str> = stem.unwrap_or(name).split('.').collect();
    let word = |part: &&str| !part.is_empty() && part.chars().all(|char| char.is_alphanumeric() || char == '_');
    let starts_as_name = |part: &&str| !part.starts_with(char::is_numeric);
    parts.len() >= 3 && parts.iter().all(word) && parts[..2].iter().all(starts_as_name)
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
        assert_eq!(playbooks.resolve("sub/site.yml"), Ok(Playbook::File(site.clone())));
        assert_eq!(playbooks.resolve("alias.yml"), Ok(Playbook::File(site)));
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

    #[test]
    fn a_name_of_a_collection_is_no_path_and_a_file_or_link_of_that_name_goes_before_it() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let root = folder.path().canonicalize()?;
        std::fs::write(root.join("acme.web.file"), "")?;
        symlink("/etc/passwd", root.join("acme.web.leak"))?;
        let playbooks = PlaybookFolder::open(&root)?;
        for name in [
            "acme.web.site",
            "acme.web.deploy.site",
            "acme.web.site.yml",
            "_a.b1.2.yaml",
        ] {
            assert_eq!(playbooks.resolve(name), Ok(Playbook::OfCollection), "{name}");
        }
        for name in [
            "acme.web",
            "acme.site.yml",
            "acme..site",
            "acme.web.",
            "1a.web.site",
            "acme.web.a-b",
            "a.b/c.d",
        ] {
            assert_eq!(
                playbooks.resolve(name),
                Err(PlaybookError::NotFound(name.to_owned())),
                "{name}"
            );
        }
        let file = root.join("acme.web.file");
        assert_eq!(playbooks.resolve("acme.web.file"), Ok(Playbook::File(file)));
        let leak = "acme.web.leak".to_owned();
        assert_eq!(playbooks.resolve(&leak), Err(PlaybookError::Outside(leak)));
        Ok(())
    }
}
