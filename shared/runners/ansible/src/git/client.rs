//! The git program, restricted to what a source may need: two protocols, no prompts, no hooks, no configuration but ours.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use callboard_kind_ansible::repository::Scheme;
use callboard_process::files::open_untrusted;
use callboard_process::program::{Program, ProgramError, TOO_LARGE};
use uuid::Uuid;

use super::Wanted;
use super::login::{environment, use_key, use_token};
use super::words::{hint, words};
use crate::agent::Agent;
use crate::gate::Gate;
use crate::unready::Unready;

/// The length of a commit's id in a repository that uses SHA-256.
const SHA256_DIGITS: usize = 64;
const LOCAL_REF: &str = "refs/callboard/source";
/// The settings that git gets on every call.
const CONFIGURATION: [&str; 9] = [
    "protocol.version=2",
    // everything goes into one file, so that the limit on a file's size bounds the whole
    "fetch.unpackLimit=1",
    "credential.helper=",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "tar.umask=0022",
];

/// git, for one repository.
pub(super) struct Client<'a> {
    wanted: &'a Wanted<'a>,
    folder: PathBuf,
    env: BTreeMap<String, String>,
    gate: Gate,
    _agent: Option<Agent>,
}

impl<'a> Client<'a> {
    /// Makes a folder for the repository, with what git needs to log in.
    pub(super) async fn new(wanted: &'a Wanted<'a>) -> Result<Self, Unready> {
        // short, because an agent's socket is in it
        let id = Uuid::new_v4().simple().to_string();
        let folder = wanted.scratch.join(format!("git-{}", &id[..8]));
        fs::create_dir(&folder)?;
        let (mut env, gate) = (environment(&folder), Gate::open(&wanted.reach.policy).await?);
        gate.lead_git(&mut env);
        let agent = match wanted.repo.scheme() {
            Scheme::Https => {
                use_token(wanted, &folder, &mut env)?;
                None
            }
            Scheme::Ssh => use_key(wanted, &folder, &mut env).await?,
        };
        Ok(Self {
            wanted,
            folder,
            env,
            gate,
            _agent: agent,
        })
    }

    /// Asks the server which commit the revision is; returns the commit and the name of the reference.
    pub(super) async fn resolve(&self) -> Result<(String, Option<String>), Unready> {
        let names = match self.wanted.revision {
            None => vec!["HEAD".to_owned()],
            Some(name) => [("heads", ""), ("tags", "^{}"), ("tags", "")]
                .map(|(kind, peeled)| format!("refs/{kind}/{name}{peeled}"))
                .into(),
        };
        let mut arguments = vec!["ls-remote", "--quiet", "--", self.wanted.repo.as_str()];
        arguments.extend(names.iter().map(String::as_str));
        let answer = self.git(&arguments).await.map_err(|error| self.unreachable(error))?;
        let answer = String::from_utf8_lossy(&answer);
        let find = |name: &String| {
            let line = answer
                .lines()
                .find(|line| line.split_once('\t').is_some_and(|(_, found)| found == name))?;
            Some((
                line.split_once('\t')?.0.to_owned(),
                Some(name.trim_end_matches("^{}").to_owned()),
            ))
        };
        names.iter().find_map(find).ok_or_else(|| {
            let repo = &self.wanted.repo;
            Unready::source(match self.wanted.revision {
                Some(name) => {
                    format!("The repository {repo} has no branch or tag {name:?}; a commit needs its whole id.")
                }
                None => format!("The repository {repo} is empty."),
            })
        })
    }

    /// Fetches one commit without its history.
    pub(super) async fn fetch(&self, commit: &str, name: Option<&str>) -> Result<(), Unready> {
        let repository = self.repository();
        let mut init = vec!["init", "--quiet", "--bare", "--template="];
        init.extend((commit.len() == SHA256_DIGITS).then_some("--object-format=sha256"));
        init.push(&repository);
        self.git(&init).await.map_err(|error| self.unreachable(error))?;
        // the tree's own attributes must not leave out or replace anything in an archive
        let info = self.folder.join("repository.git/info");
        fs::create_dir_all(&info)?;
        fs::write(
            info.join("attributes"),
            "* -export-ignore -export-subst -ident -filter -text -working-tree-encoding\n",
        )?;
        match (self.fetch_as(&format!("{commit}:{LOCAL_REF}")).await, name) {
            (Ok(_), _) => Ok(()),
            // servers may refuse to give a commit by its id
            (Err(error), Some(name)) if refuses_ids(&error) => {
                let fetched = self.fetch_as(&format!("{name}:{LOCAL_REF}")).await;
                fetched.map(drop).map_err(|error| self.unreachable(error))
            }
            (Err(error), _) => Err(self.unreachable(error)),
        }
    }

    async fn fetch_as(&self, reference: &str) -> Result<Vec<u8>, ProgramError> {
        let repository = self.repository();
        let address = self.wanted.repo.as_str();
        let flags = [
            "--quiet",
            "--depth=1",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-auto-maintenance",
        ];
        let arguments = [&["-C", &repository, "fetch"][..], &flags, &["--", address, reference]].concat();
        self.git(&arguments).await
    }

    /// Writes the tree of a fetched commit to a tar file.
    pub(super) async fn export(&self, commit: &str, archive: &Path) -> Result<(), Unready> {
        // git may write into its own folder only
        let (repository, written) = (self.repository(), self.folder.join("tree.tar"));
        let output = format!("--output={}", written.display());
        let exported = self
            .git(&["-C", &repository, "archive", "--format=tar", &output, commit])
            .await;
        exported.map_err(|error| self.unreachable(error))?;
        open_untrusted(&written)?;
        Ok(fs::rename(written, archive)?)
    }

    /// Runs a git command in the fetched repository and returns its output.
    pub(super) async fn ask(&self, arguments: &[&str]) -> Result<Vec<u8>, ProgramError> {
        let repository = self.repository();
        self.git(&[&["-C", &repository], arguments].concat()).await
    }

    /// Returns whether the repository has been fetched here.
    pub(super) fn has_fetched(&self) -> bool {
        self.folder.join("repository.git/refs/callboard/source").exists()
    }

    fn repository(&self) -> String {
        self.folder.join("repository.git").display().to_string()
    }

    async fn git(&self, arguments: &[&str]) -> Result<Vec<u8>, ProgramError> {
        let configuration = CONFIGURATION.iter().flat_map(|setting| ["-c", setting]);
        let arguments = ["git"]
            .into_iter()
            .chain(configuration)
            .chain(arguments.iter().copied());
        let program = Program {
            arguments: arguments.map(OsString::from).collect(),
            env: &self.env,
            folder: &self.folder,
            max_file_bytes: self.wanted.reach.limits.max_bytes,
            limit: self.wanted.reach.limits.timeout,
            other: self.wanted.owner.map(|owner| owner.with(&self.folder)),
        };
        program.run().await
    }

    pub(super) fn unreachable(&self, error: ProgramError) -> Unready {
        let (repo, limits) = (&self.wanted.repo, &self.wanted.reach.limits);
        let message = match &error {
            ProgramError::Start(..) => {
                "The program git could not be run; it must be installed where jobs run.".to_owned()
            }
            ProgramError::TimedOut(limit) => format!(
                "The repository {repo} could not be fetched within {} s.",
                limit.as_secs()
            ),
            ProgramError::TooMuch => format!("The repository {repo} could not be read: git printed too much."),
            ProgramError::Failed { .. } if let Some(refusal) = self.gate.refusal() => {
                format!("The repository {repo} could not be read: {refusal}.")
            }
            ProgramError::Failed { stderr, .. } if stderr.contains(TOO_LARGE) => format!(
                "The repository {repo} is larger than the limit of {} bytes.",
                limits.max_bytes
            ),
            ProgramError::Failed { stderr, .. } if let Some(failure) = self.gate.failure(stderr) => {
                format!("The repository {repo} could not be read: {failure}.")
            }
            ProgramError::Failed { stderr, .. } => match hint(stderr) {
                Some(hint) => format!("The repository {repo} could not be read: {hint}."),
                None => format!("The repository {repo} could not be read: {}", words(stderr)),
            },
        };
        Unready::source(message).caused(error)
    }
}

fn refuses_ids(error: &ProgramError) -> bool {
    matches!(error, ProgramError::Failed { stderr, .. } if stderr.contains("unadvertised object") || stderr.contains("not our ref"))
}

impl Drop for Client<'_> {
    /// Removes what git logged in with, which the playbook that runs next must not find.
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(error = %callboard_core::base::causes::causes(&error), "git's login files are left until the job ends");
        }
    }
}
