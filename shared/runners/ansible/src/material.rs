//! From a request's source to a playbook on this machine, with the roles and collections that it needs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use callboard_core::job::Job;
use callboard_core::source::{CollectionRoleSource, GitSource, RoleSource, Source, TypedSource};
use serde_json::{Map, Value, json};

use crate::archive;
use crate::collection::{self, Manifest};
use crate::galaxy::{self, Requirements};
use crate::git::{Repositories, Wanted};
use crate::keys::Keys;
use crate::reach::Reach;
use crate::settings::{AnsibleSettings, Home};
use crate::unready::Unready;
use crate::workspace::Workspace;
use crate::wrapper;

/// What a job runs.
pub(crate) struct Material {
    /// The playbook.
    pub(crate) playbook: PathBuf,
    /// The folder that the source is, up to which an `ansible.cfg` counts.
    pub(crate) root: PathBuf,
    /// The folder that the playbook runs in.
    pub(crate) folder: PathBuf,
    /// Folders of collections and of roles that go before those that the configuration names.
    pub(crate) collections: Vec<PathBuf>,
    pub(crate) roles: Vec<PathBuf>,
    /// The commit, where it comes from a repository.
    pub(crate) commit: Option<String>,
}

/// Makes sources ready.
pub(crate) struct Sourcing<'a> {
    pub(crate) settings: &'a AnsibleSettings,
    pub(crate) reach: &'a Reach,
    pub(crate) repositories: &'a Repositories,
    pub(crate) job: &'a Job,
    pub(crate) keys: &'a Keys,
    pub(crate) workspace: &'a Workspace,
    /// The variables that programs see which install what a source requires.
    pub(crate) env: &'a BTreeMap<String, String>,
}

impl Sourcing<'_> {
    /// Makes the job's source ready.
    pub(crate) async fn prepare(&self) -> Result<Material, Unready> {
        let source = &self.job.request.source;
        if let Some(path) = source.bundled() {
            return self.bundled(path).await;
        }
        match source {
            Source::Playbook(path) => self.bundled(path).await,
            Source::Typed(TypedSource::Playbook(playbook)) => self.playbook(&playbook.path).await,
            Source::Typed(TypedSource::Role(role)) => match role.repo {
                Some(_) => self.role(role).await,
                None => self.installed_role(role.role.as_deref().unwrap_or_default(), &role.role_vars, Vec::new()),
            },
            Source::Typed(TypedSource::CollectionRole(role)) => self.collection_role(role).await,
            Source::Typed(TypedSource::Inline(inline)) => {
                let playbook = self.workspace.write("playbook.yml", inline.content.as_bytes())?;
                Ok(Material::alone(playbook, self.workspace.path()))
            }
        }
    }

    async fn bundled(&self, path: &str) -> Result<Material, Unready> {
        let playbooks = &self.settings.playbooks;
        let playbook = playbooks
            .resolve(path)
            .map_err(|error| Unready::source(sentence(&error.to_string())))?;
        let folder = playbook.parent().unwrap_or(Path::new("/")).to_owned();
        let mut material = Material::alone(playbook, &folder);
        material.root = playbooks.path().to_owned();
        // who runs his own playbook installs what it needs himself
        if self.settings.home == Home::Private {
            self.require(&mut material, "the playbooks folder").await?;
        }
        Ok(material)
    }

    async fn playbook(&self, path: &str) -> Result<Material, Unready> {
        let (tree, commit, repo) = self.checkout().await?;
        let playbook = archive::inside(&tree, path).filter(|found| found.is_file());
        let playbook = playbook.ok_or_else(|| missing(path, "file", &repo, &commit))?;
        let folder = playbook.parent().unwrap_or(&tree).to_owned();
        let mut material = Material::alone(playbook, &folder);
        material.root = tree.clone();
        material.commit = Some(commit);
        material.add_roles(&tree.join("roles"));
        material.add_collections(&tree.join("collections"));
        self.require(&mut material, &repo).await?;
        Ok(material)
    }

    /// Fetches the source's repository into the job's folder; returns the tree, the commit and the address.
    async fn checkout(&self) -> Result<(PathBuf, String, String), Unready> {
        let git = self.job.request.source.git().unwrap_or(GitSource {
            repo: "",
            branch: None,
            credential: None,
            submodules: false,
        });
        let scratch = self.workspace.scratch()?;
        let credential = self.keys.find(git.credential);
        let wanted = Wanted::new(self.reach, &self.job.tenant, git, credential, &scratch)?;
        let tree = self.workspace.path().join("source");
        let commit = self.repositories.checkout(&wanted, &tree).await?;
        Ok((tree.canonicalize()?, commit, git.repo.to_owned()))
    }

    async fn role(&self, role: &RoleSource) -> Result<Material, Unready> {
        let (tree, commit, repo) = self.checkout().await?;
        let path = role.path.as_deref().unwrap_or(".");
        let folder = archive::inside(&tree, path).filter(|found| found.is_dir());
        let folder = folder.ok_or_else(|| missing(path, "folder", &repo, &commit))?;
        let mut material = match Manifest::read(&folder, &repo)? {
            Some(manifest) => self.role_of_collection(role, &manifest, &folder, &repo).await?,
            None => self.plain_role(role, &folder, &repo)?,
        };
        material.root = tree.clone();
        material.folder = tree;
        material.commit = Some(commit);
        self.require(&mut material, &repo).await?;
        Ok(material)
    }

    async fn role_of_collection(
        &self,
        role: &RoleSource,
        manifest: &Manifest,
        folder: &Path,
        repo: &str,
    ) -> Result<Material, Unready> {
        let full = manifest.full_name();
        let wrong =
            |wrong: String| Unready::source(format!("The repository {repo} is the collection {full}, {wrong}."));
        let known = collection::roles(folder);
        let told = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        let Some(name) = role.role.as_deref() else {
            return Err(wrong(format!("so the source must name one of its roles: {told}")));
        };
        let short = match name.rsplit_once('.') {
            Some((of, short)) if of == full => short,
            Some((of, _)) => return Err(wrong(format!("not {of}"))),
            None => name,
        };
        if !known.iter().any(|role| role == short) {
            return Err(wrong(format!("and has no role {short:?}; it has: {told}")));
        }
        let scratch = self.workspace.scratch()?;
        let mut material = self.wrap(&format!("{full}.{short}"), &role.role_vars)?;
        material.collections.push(manifest.link(folder, &scratch)?);
        if let Some(file) = manifest.requirements(&scratch)? {
            let requirements = self.requirements(format!("The dependencies of {full}"), vec![file], folder);
            self.install(&mut material, &requirements).await?;
        }
        Ok(material)
    }

    fn plain_role(&self, role: &RoleSource, folder: &Path, repo: &str) -> Result<Material, Unready> {
        let folder = match role.role.as_deref() {
            Some(name) => archive::inside(folder, &format!("roles/{name}"))
                .filter(|found| found.is_dir())
                .ok_or_else(|| {
                    Unready::source(format!(
                        "The repository {repo} is no collection and has no folder roles/{name}."
                    ))
                })?,
            None => folder.to_owned(),
        };
        if !collection::is_role(&folder) {
            let place = role.path.as_deref().unwrap_or("its root");
            return Err(Unready::source(format!(
                "The repository {repo} has no role at {place}: there is no tasks folder."
            )));
        }
        let last = role
            .path
            .as_deref()
            .and_then(|path| Path::new(path).file_name()?.to_str());
        let of_repo = repo.trim_end_matches('/').trim_end_matches(".git");
        let of_repo = of_repo.rsplit(['/', ':']).next().unwrap_or(repo);
        let name = role.role.as_deref().or(last).unwrap_or(of_repo);
        // the role goes by its own name, wherever its folder is; those beside it are found as well
        let named = self.workspace.scratch()?.join("roles");
        fs::create_dir_all(&named)?;
        std::os::unix::fs::symlink(&folder, named.join(name))?;
        let mut material = self.wrap(name, &role.role_vars)?;
        material.roles.push(named);
        material.add_roles(folder.parent().unwrap_or(&folder));
        Ok(material)
    }

    async fn collection_role(&self, role: &CollectionRoleSource) -> Result<Material, Unready> {
        let name = format!("{}.{}", role.collection, role.role);
        if role.version.is_none() && role.galaxy_server.is_none() && self.find_collection(&role.collection).is_some() {
            return self.installed_role(&name, &role.role_vars, Vec::new());
        }
        let version = role.version.as_deref().unwrap_or("*");
        let file = json!({ "collections": [{ "name": role.collection, "version": version }] });
        let scratch = self.workspace.scratch()?;
        let file = collection::write_requirements(&file, &scratch)?;
        let token = self
            .keys
            .galaxy(role.galaxy_credential.as_ref(), role.galaxy_server.as_deref())?;
        let mut material = self.wrap(&name, &role.role_vars)?;
        let mut requirements = self.requirements(
            format!("The collection {}:{version}", role.collection),
            vec![file],
            &scratch,
        );
        requirements.server = role.galaxy_server.as_deref().map(|server| (server, token));
        requirements.exact = version
            .trim_start_matches('=')
            .starts_with(|first: char| first.is_ascii_digit())
            && !version.contains(',');
        requirements.identity =
            serde_json::to_string(&(&role.galaxy_server, &role.galaxy_credential)).unwrap_or_default();
        self.install(&mut material, &requirements).await?;
        let installed = material
            .collections
            .iter()
            .find_map(|folder| in_folder(folder, &role.collection));
        let found = installed.or_else(|| self.find_collection(&role.collection));
        self.check_role(found.as_deref(), &role.collection, &role.role)?;
        Ok(material)
    }

    /// A role that is installed where jobs run.
    fn installed_role(
        &self,
        name: &str,
        vars: &Map<String, Value>,
        collections: Vec<PathBuf>,
    ) -> Result<Material, Unready> {
        if let Some((collection, role)) = name.rsplit_once('.') {
            self.check_role(self.find_collection(collection).as_deref(), collection, role)?;
        }
        let mut material = self.wrap(name, vars)?;
        material.collections = collections;
        material.add_roles(&self.settings.playbooks.path().join("roles"));
        material.add_collections(&self.settings.playbooks.path().join("collections"));
        material.root = self.settings.playbooks.path().to_owned();
        material.folder = material.root.clone();
        Ok(material)
    }

    fn check_role(&self, found: Option<&Path>, collection: &str, role: &str) -> Result<(), Unready> {
        let Some(folder) = found else {
            return Err(Unready::source(format!(
                "The collection {collection} is not installed where jobs run."
            )));
        };
        let known = collection::roles(folder);
        if known.iter().any(|known| known == role) {
            return Ok(());
        }
        let told = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        Err(Unready::source(format!(
            "The collection {collection} has no role {role:?}; it has: {told}."
        )))
    }

    /// Looks for a collection that is installed where jobs run, where Ansible would.
    fn find_collection(&self, name: &str) -> Option<PathBuf> {
        let home = self.env.get("HOME").map(|home| format!("{home}/.ansible/collections"));
        let configured = self
            .env
            .get("ANSIBLE_COLLECTIONS_PATH")
            .cloned()
            .or_else(|| Some(format!("{}:/usr/share/ansible/collections", home?)));
        let own = self.settings.playbooks.path().join("collections");
        let folders = configured.unwrap_or_default();
        let folders = folders.split(':').map(PathBuf::from).chain([own]);
        folders.into_iter().find_map(|folder| in_folder(&folder, name))
    }

    fn wrap(&self, role: &str, vars: &Map<String, Value>) -> Result<Material, Unready> {
        let literal = !self.job.request.options.template_extra_vars;
        let playbook = self
            .workspace
            .write("role.yml", wrapper::playbook(role, vars, literal).as_bytes())?;
        Ok(Material::alone(playbook, self.workspace.path()))
    }

    /// Installs what the source itself says that it requires.
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
        self.install(material, &requirements).await
    }

    fn requirements(&self, of: String, files: Vec<PathBuf>, folder: &Path) -> Requirements<'_> {
        Requirements {
            of,
            files,
            server: None,
            identity: String::new(),
            exact: false,
            folder: folder.to_owned(),
            commit: None,
        }
    }

    async fn install(&self, material: &mut Material, requirements: &Requirements<'_>) -> Result<(), Unready> {
        let scratch = self.workspace.scratch()?;
        let installed = galaxy::install(
            self.settings,
            self.reach,
            &self.job.tenant,
            requirements,
            self.env,
            &scratch,
        )
        .await?;
        material.add_collections(&installed.join("collections"));
        material.add_roles(&installed.join("roles"));
        Ok(())
    }
}

impl Material {
    fn alone(playbook: PathBuf, folder: &Path) -> Self {
        Self {
            playbook,
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

fn in_folder(folder: &Path, collection: &str) -> Option<PathBuf> {
    let (namespace, name) = collection.split_once('.')?;
    let found = folder.join("ansible_collections").join(namespace).join(name);
    found.is_dir().then_some(found)
}

fn missing(path: &str, what: &str, repo: &str, commit: &str) -> Unready {
    Unready::source(format!(
        "The repository {repo} has no {what} {path:?} at commit {commit}."
    ))
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars
        .next()
        .map(|first| first.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}
