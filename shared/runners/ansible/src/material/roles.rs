//! Roles as sources: from a repository, from a collection, or installed. A playbook that is written for the job runs the role.

use std::fs;
use std::path::{Path, PathBuf};

use callboard_kind_ansible::source::{CollectionRoleSource, RoleSource};
use serde_json::{Map, Value, json};

use super::{Material, Sourcing, missing};
use crate::collection::{self, Manifest};
use crate::galaxy::Servers;
use crate::unready::Unready;
use crate::{archive, wrapper};

impl Sourcing<'_> {
    pub(super) async fn role(&self, role: &RoleSource) -> Result<Material, Unready> {
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
        let told = told(&known);
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
        let scratch = self.task.workspace.scratch()?;
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
        // the role has its own name, wherever its folder is; the roles beside it are found as well
        let named = self.task.workspace.scratch()?.join("roles");
        fs::create_dir_all(&named)?;
        std::os::unix::fs::symlink(&folder, named.join(name))?;
        let mut material = self.wrap(name, &role.role_vars)?;
        material.roles.push(named);
        material.add_roles(folder.parent().unwrap_or(&folder));
        Ok(material)
    }

    pub(super) async fn collection_role(&self, role: &CollectionRoleSource) -> Result<Material, Unready> {
        let name = format!("{}.{}", role.collection, role.role);
        if role.version.is_none() && role.galaxy_server.is_none() && self.find_collection(&role.collection).is_some() {
            return self.installed_role(&name, &role.role_vars);
        }
        let version = role.version.as_deref().unwrap_or("*");
        let file = json!({ "collections": [{ "name": role.collection, "version": version }] });
        let scratch = self.task.workspace.scratch()?;
        let file = collection::write_requirements(&file, &scratch)?;
        let token = self
            .task
            .keys
            .galaxy(role.galaxy_credential.as_ref(), role.galaxy_server.as_deref())?;
        let mut material = self.wrap(&name, &role.role_vars)?;
        let mut requirements = self.requirements(
            format!("The collection {}:{version}", role.collection),
            vec![file],
            &scratch,
        );
        requirements.servers = match role.galaxy_server.as_deref() {
            Some(server) => Servers::One(server, token),
            None => Servers::OfPolicy,
        };
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

    /// Prepares a role that is installed where jobs run.
    pub(super) fn installed_role(&self, name: &str, vars: &Map<String, Value>) -> Result<Material, Unready> {
        if let Some((collection, role)) = name.rsplit_once('.') {
            self.check_role(self.find_collection(collection).as_deref(), collection, role)?;
        }
        let mut material = self.wrap(name, vars)?;
        material.add_roles(&self.task.settings.playbooks.path().join("roles"));
        material.add_collections(&self.task.settings.playbooks.path().join("collections"));
        material.root = self.task.settings.playbooks.path().to_owned();
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
        let told = told(&known);
        Err(Unready::source(format!(
            "The collection {collection} has no role {role:?}; it has: {told}."
        )))
    }

    /// Looks for a collection that is installed where jobs run, in the places where Ansible would look.
    fn find_collection(&self, name: &str) -> Option<PathBuf> {
        let home = self.env.get("HOME").map(|home| format!("{home}/.ansible/collections"));
        let configured = self
            .env
            .get("ANSIBLE_COLLECTIONS_PATH")
            .cloned()
            .or_else(|| Some(format!("{}:/usr/share/ansible/collections", home?)));
        let own = self.task.settings.playbooks.path().join("collections");
        let folders = configured.unwrap_or_default();
        let folders = folders.split(':').map(PathBuf::from).chain([own]);
        folders.into_iter().find_map(|folder| in_folder(&folder, name))
    }

    fn wrap(&self, role: &str, vars: &Map<String, Value>) -> Result<Material, Unready> {
        let literal = !self.task.request.options.template_extra_vars;
        let playbook = self
            .task
            .workspace
            .write("role.yml", wrapper::playbook(role, vars, literal).as_bytes())?;
        Ok(Material::alone(&playbook, self.task.workspace.path()))
    }
}

/// Lists the names of the known roles.
fn told(known: &[String]) -> String {
    match known {
        [] => "none".to_owned(),
        known => known.join(", "),
    }
}

fn in_folder(folder: &Path, collection: &str) -> Option<PathBuf> {
    let (namespace, name) = collection.split_once('.')?;
    let found = folder.join("ansible_collections").join(namespace).join(name);
    found.is_dir().then_some(found)
}
