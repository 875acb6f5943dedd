//! Turns a request's source into what `ansible-playbook` runs on this machine, with the roles and collections that it needs.

mod roles;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use callboard_core::base::sentence::sentence;
use callboard_kind_ansible::source::{GitSource, Source, TypedSource};

use crate::blocking::on_a_thread;
use crate::galaxy::{self, Requirements, Servers};
use crate::playbooks::Playbook;
use crate::settings::Home;
use crate::task::Task;
use crate::unready::Unready;
use crate::{archive, bounds};

/// What a job runs.
pub(crate) struct Material {
    /// The playbooks, as arguments of `ansible-playbook`: paths, or names of a collection's playbooks.
    pub(crate) playbooks: Vec<String>,
    /// The root folder of the source; the search for an `ansible.cfg` ends there.
    pub(crate) root: PathBuf,
    /// The folder that the playbook runs in.
    pub(crate) folder: PathBuf,
    /// Folders of collections and of roles that take precedence over those that the configuration names.
    pub(crate) collections: Vec<PathBuf>,
    pub(crate) roles: Vec<PathBuf>,
    /// The commit, if the source comes from a repository.
    pub(crate) commit: Option<String>,
}

/// Prepares sources.
pub(crate) struct Sourcing<'a> {
    pub(crate) task: &'a Task<'a>,
    /// The variables for the programs that install what a source requires.
    pub(crate) env: &'a BTreeMap<String, String>,
}

impl Sourcing<'_> {
    /// Prepares the job's source.
    pub(crate) async fn prepare(&self) -> Result<Material, Unready> {
        let source = &self.task.request.source;
        match source {
            Source::Playbook(path) => self.bundled(path).await,
            Source::Typed(TypedSource::Playbook(playbook)) => match playbook.repo {
                Some(_) => self.playbook(&playbook.path).await,
                None => self.bundled(&playbook.path).await,
            },
            Source::Typed(TypedSource::Role(role)) => match role.repo {
                Some(_) => self.role(role).await,
                None => self.installed_role(role.role.as_deref().unwrap_or_default(), &role.role_vars),
            },
            Source::Typed(TypedSource::CollectionRole(role)) => self.collection_role(role).await,
            Source::Typed(TypedSource::Inline(inline)) => {
                let playbook = self.task.workspace.write("playbook.yml", inline.content.as_bytes())?;
                check(&playbook, "of the request").await?;
                Ok(Material::alone(&playbook, self.task.workspace.path()))
            }
        }
    }

    async fn bundled(&self, path: &str) -> Result<Material, Unready> {
        let (settings, root) = (self.task.settings, self.task.settings.playbooks.path());
        if !settings.typed_playbooks.is_empty() {
            return Ok(Material::of(settings.typed_playbooks.clone(), root));
        }
        let found = settings.playbooks.resolve(path);
        let found = found.map_err(|error| Unready::source(sentence(&error.to_string())))?;
        let mut material = match found {
            Playbook::File(file) => Material::alone(&file, file.parent().unwrap_or(root)),
            Playbook::OfCollection => {
                let mut material = Material::of(vec![path.to_owned()], root);
                material.add_collections(&root.join("collections"));
                material
            }
        };
        material.root = root.to_owned();
        // callers who run their own playbook install what it needs themselves
        if settings.home == Home::Private {
            self.require(&mut material, "the playbooks folder").await?;
        }
        Ok(material)
    }

    async fn playbook(&self, path: &str) -> Result<Material, Unready> {
        let (tree, commit, repo) = self.checkout().await?;
        let playbook = archive::inside(&tree, path).filter(|found| found.is_file());
        let playbook = playbook.ok_or_else(|| missing(path, "file", &repo, &commit))?;
        check(&playbook, &format!("{path:?} of {repo}")).await?;
        let folder = playbook.parent().unwrap_or(&tree).to_owned();
        let mut material = Material::alone(&playbook, &folder);
        material.root = tree.clone();
        material.commit = Some(commit);
        material.add_roles(&tree.join("roles"));
        material.add_collections(&tree.join("collections"));
        self.require(&mut material, &repo).await?;
        Ok(material)
    }

    /// Fetches the source's repository into the job's folder; returns the tree, the commit and the address.
    async fn checkout(&self) -> Result<(PathBuf, String, String), Unready> {
        let git = self.task.request.source.git().unwrap_or(GitSource {
            repo: "",
            branch: None,
            credential: None,
            submodules: false,
        });
        let scratch = self.task.workspace.scratch()?;
        let wanted = self.task.wanted(git, &scratch)?;
        let tree = self.task.workspace.path().join("source");
        let commit = self.task.repositories.checkout(&wanted, &tree).await?;
        Ok((tree.canonicalize()?, commit, git.repo.to_owned()))
    }

    /// Installs the requirements that the source itself lists.
    async fn require(&self, material: &mut Material, of: &str) -> Result<(), Unready> {
        let beside = if material.folder.starts_with(&material.root) {
            &material.folder
        } else {
            &material.root
        };
        let files = galaxy::find(&material.root, beside);
        if files.is_empty() {
            return Ok(());
        }
        let root = material.root.clone();
        let mut requirements = self.requirements(format!("The requirements of {of}"), files, &root);
        requirements.commit = material.commit.clone();
        requirements.is_fetched = material.commit.is_some();
        self.install(material, &requirements).await
    }

    fn requirements(&self, of: String, files: Vec<PathBuf>, folder: &Path) -> Requirements<'_> {
        Requirements {
            of,
            files,
            servers: Servers::Configured,
            identity: String::new(),
            exact: false,
            folder: folder.to_owned(),
            commit: None,
            is_fetched: true,
        }
    }

    async fn install(&self, material: &mut Material, requirements: &Requirements<'_>) -> Result<(), Unready> {
        let scratch = self.task.workspace.scratch()?;
        let installed = galaxy::install(self.task, requirements, self.env, &scratch).await?;
        material.add_collections(&installed.join("collections"));
        material.add_roles(&installed.join("roles"));
        Ok(())
    }
}

impl Material {
    fn alone(playbook: &Path, folder: &Path) -> Self {
        Self::of(vec![playbook.display().to_string()], folder)
    }

    fn of(playbooks: Vec<String>, folder: &Path) -> Self {
        Self {
            playbooks,
            root: folder.to_owned(),
            folder: folder.to_owned(),
            collections: Vec::new(),
            roles: Vec::new(),
            commit: None,
        }
    }

    fn add_roles(&mut self, folder: &Path) {
        if folder.is_dir() {
            self.roles.push(folder.to_owned());
        }
    }

    fn add_collections(&mut self, folder: &Path) {
        if folder.is_dir() {
            self.collections.push(folder.to_owned());
        }
    }
}

/// Refuses a playbook that would crash Ansible's YAML reader.
async fn check(playbook: &Path, told: &str) -> Result<(), Unready> {
    let file = playbook.to_owned();
    let checked = on_a_thread(move |_| bounds::check_file(&file)).await?;
    match checked {
        Ok(_bytes) => Ok(()),
        Err(wrong) => Err(Unready::source(format!("The playbook {told} {wrong}."))),
    }
}

fn missing(path: &str, what: &str, repo: &str, commit: &str) -> Unready {
    Unready::source(format!(
        "The repository {repo} has no {what} {path:?} at commit {commit}."
    ))
}
