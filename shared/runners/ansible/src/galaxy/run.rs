//! One run of ansible-galaxy: its configuration, its limits, and the message if it fails.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use callboard_kind_ansible::policy::galaxy_refusal;
use callboard_process::files::{write_private, write_script};
use callboard_process::program::{Program, ProgramError, TOO_LARGE, search_path};

use super::words::words;
use super::{Requirements, Servers};
use crate::gate::{Gate, git, ssh};
use crate::task::Task;
use crate::unready::Unready;

/// The file that tells ansible-galaxy which servers to use; it may hold a token.
const CONFIGURATION: &str = "galaxy.cfg";
/// How many times more disk space the run may use than is left for its result, for downloads, clones and builds.
const MEANWHILE: u64 = 3;
/// What `galaxy.py` prints before the address of a server that is not listed.
const REFUSED: &str = "callboard: refused server ";

/// A run in a folder of its own.
pub(super) struct Run<'a> {
    task: &'a Task<'a>,
    requirements: &'a Requirements<'a>,
    folder: &'a Path,
    gate: Gate,
}

/// Why nothing was installed.
pub(super) struct Failed {
    pub(super) why: Unready,
    /// Whether what was installed before may be used instead.
    pub(super) is_passing: bool,
}

impl<'a> Run<'a> {
    pub(super) async fn new(
        task: &'a Task<'a>,
        requirements: &'a Requirements<'a>,
        folder: &'a Path,
    ) -> Result<Self, Unready> {
        let gate = Gate::open(&task.reach.policy).await?;
        Ok(Self {
            task,
            requirements,
            folder,
            gate,
        })
    }

    /// Installs everything; returns the folder that holds what is installed.
    pub(super) async fn install(&self, env: &BTreeMap<String, String>) -> Result<PathBuf, Failed> {
        let installed = self.folder.join("installed");
        let env = self.environment(env, &installed).map_err(Failed::from)?;
        let ran = tokio::select! {
            ran = self.all_files(&env) => ran.map_err(|error| self.failed(error)),
            () = self.task.room.outgrown(self.folder, MEANWHILE) => {
                Err(Failed::for_good(self.too_large(&self.task.room.full())))
            }
        };
        // the playbook that runs next must not find a token
        match fs::remove_file(self.folder.join(CONFIGURATION)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => ran.map(|()| installed),
        }
    }

    /// Returns the error that what is required is too large.
    pub(super) fn too_large(&self, full: &str) -> Unready {
        Unready::source(format!("{} could not be installed: {full}.", self.requirements.of))
    }

    async fn all_files(&self, env: &BTreeMap<String, String>) -> Result<(), ProgramError> {
        let limits = &self.task.reach.limits;
        for file in &self.requirements.files {
            let python = self.task.settings.environment.python.clone().into();
            let fixed = ["-P", "-m", "callboard_host.galaxy", "install", "-r"].map(OsString::from);
            let program = Program {
                arguments: [python].into_iter().chain(fixed).chain([file.into()]).collect(),
                env,
                folder: &self.requirements.folder,
                max_file_bytes: limits.max_bytes,
                limit: limits.timeout,
                other: self.task.workspace.owner().map(|owner| owner.with(self.folder)),
            };
            program.run().await?;
        }
        Ok(())
    }

    fn environment(&self, env: &BTreeMap<String, String>, installed: &Path) -> io::Result<BTreeMap<String, String>> {
        let (mut env, policy) = (env.clone(), &self.task.reach.policy);
        let folder = |name: &str| self.folder.join(name).display().to_string();
        for (name, own) in [
            ("ANSIBLE_COLLECTIONS_PATH", "collections"),
            ("ANSIBLE_ROLES_PATH", "roles"),
        ] {
            let own = installed.join(own);
            fs::create_dir_all(&own)?;
            let known = env.get(name).map(|known| format!(":{known}")).unwrap_or_default();
            env.insert(name.to_owned(), format!("{}{known}", own.display()));
        }
        fs::create_dir(self.folder.join("tmp"))?;
        write_script(&self.folder.join("ssh"), &ssh::script(policy))?;
        fs::create_dir(self.folder.join("bin"))?;
        write_script(&self.folder.join("bin/git"), git::SCRIPT)?;
        let path = env.get("PATH").cloned().unwrap_or_else(search_path);
        let own = [
            ("PYTHONPATH", self.task.settings.environment.host.display().to_string()),
            (
                "CALLBOARD_GALAXY_SERVERS",
                serde_json::to_string(policy.galaxy_servers())?,
            ),
            ("PATH", format!("{}:{path}", folder("bin"))),
            ("GIT_TERMINAL_PROMPT", "0".to_owned()),
            ("GIT_SSH_COMMAND", folder("ssh")),
            ("GIT_SSH_VARIANT", "ssh".to_owned()),
            ("ANSIBLE_NOCOLOR", "1".to_owned()),
            ("ANSIBLE_GALAXY_CACHE_DIR", folder("cache")),
            ("ANSIBLE_LOCAL_TEMP", folder("tmp")),
            ("TMPDIR", folder("tmp")),
        ];
        env.extend(own.map(|(name, value)| (name.to_owned(), value)));
        if let Some(authorities) = env.get("SSL_CERT_FILE").cloned() {
            env.insert("GIT_SSL_CAINFO".to_owned(), authorities);
        }
        self.gate.lead(policy, &mut env);
        self.name_servers(&mut env)?;
        Ok(env)
    }

    /// Makes ansible-galaxy use servers other than those in Ansible's configuration.
    fn name_servers(&self, env: &mut BTreeMap<String, String>) -> io::Result<()> {
        let (servers, token) = match self.requirements.servers {
            Servers::Configured => return Ok(()),
            Servers::OfPolicy => (self.task.reach.policy.galaxy_servers().to_vec(), None),
            Servers::One(server, token) => (vec![server.to_owned()], token),
        };
        env.retain(|name, _| !name.starts_with("ANSIBLE_GALAXY_SERVER"));
        let names: Vec<String> = (0..servers.len()).map(|number| format!("callboard_{number}")).collect();
        let mut text = format!("[galaxy]\nserver_list = {}\n", names.join(", "));
        let sections = names.iter().zip(&servers);
        let sections = sections.map(|(name, server)| format!("[galaxy_server.{name}]\nurl = {server}\n"));
        text.extend(sections);
        text += &token.map(|token| format!("token = {token}\n")).unwrap_or_default();
        let path = self.folder.join(CONFIGURATION);
        write_private(&path, text.as_bytes())?;
        env.insert("ANSIBLE_CONFIG".to_owned(), path.display().to_string());
        Ok(())
    }

    fn failed(&self, error: ProgramError) -> Failed {
        let limits = &self.task.reach.limits;
        let refused = match &error {
            ProgramError::Failed { stderr, .. } => self.refusal(stderr),
            _ => None,
        };
        let is_passing = refused.is_none();
        let why = match (&error, refused) {
            (_, Some(refused)) => format!("could not be installed: {refused}."),
            (ProgramError::Start(..), _) => "could not be installed: ansible-galaxy could not be run.".to_owned(),
            (ProgramError::TimedOut(_), _) => format!("could not be installed within {} s.", limits.timeout.as_secs()),
            (ProgramError::Failed { stderr, .. }, _) if stderr.contains(TOO_LARGE) => format!(
                "could not be installed: a file is larger than the limit of {} bytes.",
                limits.max_bytes
            ),
            (ProgramError::TooMuch, _) => format!("could not be installed: {error}."),
            (ProgramError::Failed { stderr, .. }, _) if let Some(failure) = self.gate.failure(stderr) => {
                format!("could not be installed: {failure}.")
            }
            (ProgramError::Failed { stderr, .. }, _) => {
                let words = words(stderr).replace(&format!("{}/", self.requirements.folder.display()), "");
                format!("could not be installed: {words}")
            }
        };
        let why = Unready::source(format!("{} {why}", self.requirements.of)).caused(error);
        Failed { why, is_passing }
    }

    /// Returns the refusal that ansible-galaxy, or a program that it started, has met.
    fn refusal(&self, stderr: &str) -> Option<String> {
        let server = stderr.lines().find_map(|line| line.strip_prefix(REFUSED));
        let by_ssh = || ssh::refusal(&self.folder.join("ssh"));
        server
            .map(galaxy_refusal)
            .or_else(|| self.gate.refusal())
            .or_else(by_ssh)
            .or_else(|| git::refusal(&self.folder.join("bin/git")))
    }
}

impl Failed {
    fn for_good(why: Unready) -> Self {
        Self { why, is_passing: false }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::for_good(error.into())
    }
}
