//! The git program, held to what a source may need: two protocols, no prompts, no hooks, no configuration but ours.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use callboard_core::repository::Scheme;
use uuid::Uuid;

use super::Wanted;
use crate::agent::Agent;
use crate::files::{write_private, write_script};
use crate::program::{Program, ProgramError, TOO_LARGE};
use crate::unready::Unready;

/// How many bytes of git's own words an error repeats.
const MAX_WORDS: usize = 400;
/// The length of a commit's id where the repository's hash is SHA-256.
const SHA256_DIGITS: usize = 64;
const LOCAL_REF: &str = "refs/callboard/source";
/// What git is told on every call.
const CONFIGURATION: [&str; 9] = [
    "protocol.version=2",
    // one file, so that the limit of a file's size bounds the whole
    "fetch.unpackLimit=1",
    "credential.helper=",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "tar.umask=0022",
];
/// The service's variables that lead git through its network.
const PASSED_ON: [&str; 9] = [
    "PATH",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_DIR",
    "TZ",
];

/// git, for one repository.
pub(super) struct Client<'a> {
    wanted: &'a Wanted<'a>,
    folder: PathBuf,
    env: BTreeMap<String, String>,
    _agent: Option<Agent>,
}

impl<'a> Client<'a> {
    /// Makes a folder for the repository and puts there what git needs to log in.
    pub(super) async fn new(wanted: &'a Wanted<'a>) -> Result<Self, Unready> {
        let folder = wanted.scratch.join(format!("git-{}", Uuid::new_v4().simple()));
        fs::create_dir(&folder)?;
        let mut env = environment(&folder);
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
            _agent: agent,
        })
    }

    /// Asks the server which commit the revision is; returns it and the name of the reference.
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
        // nothing that the tree's own attributes leave out or replace in an archive
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

    /// Writes a tar of the tree of a commit that was fetched.
    pub(super) async fn export(&self, commit: &str, archive: &Path) -> Result<(), Unready> {
        let (repository, archive) = (self.repository(), archive.display().to_string());
        let output = format!("--output={archive}");
        let exported = self
            .git(&["-C", &repository, "archive", "--format=tar", &output, commit])
            .await;
        exported.map(drop).map_err(|error| self.unreachable(error))
    }

    /// Asks something of the repository that was fetched.
    pub(super) async fn ask(&self, arguments: &[&str]) -> Result<Vec<u8>, ProgramError> {
        let repository = self.repository();
        self.git(&[&["-C", &repository], arguments].concat()).await
    }

    /// Tells whether the repository has been fetched here.
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
            ProgramError::Failed { stderr, .. } if stderr.contains(TOO_LARGE) => format!(
                "The repository {repo} is larger than the limit of {} bytes.",
                limits.max_bytes
            ),
            ProgramError::Failed { stderr, .. } => match hint(stderr) {
                Some(hint) => format!("The repository {repo} could not be read: {hint}."),
                None => format!("The repository {repo} could not be read: {}", words(stderr)),
            },
        };
        Unready::source(message).caused(error)
    }
}

/// What git says when it is refused, and what that means here.
const REFUSALS: [(&str, &str); 6] = [
    (
        "terminal prompts disabled",
        "the server asks for a login; name a git_credential",
    ),
    ("Authentication failed", "the server does not accept the git_credential"),
    (
        "returned error: 403",
        "the server does not let this git_credential read it",
    ),
    (
        "Permission denied",
        "the server does not accept the git_credential's key",
    ),
    (
        "Host key verification failed",
        "the server's host key is not known; add known_hosts to the git_credential or to the policy",
    ),
    (
        "returned error: 30",
        "the server redirects to another address; name that one",
    ),
];

/// Says what a refusal means, where that is known.
fn hint(stderr: &str) -> Option<&'static str> {
    REFUSALS
        .iter()
        .find(|(said, _)| stderr.contains(said))
        .map(|(_, hint)| *hint)
}

/// Returns what git said, on one line: its errors, and what the server said, without the hints.
fn words(stderr: &str) -> String {
    let told = stderr.lines().map(str::trim);
    let mut lines: Vec<&str> = told.clone().filter(|line| is_error(line)).collect();
    if lines.is_empty() {
        lines = told.filter(|line| !line.is_empty()).collect();
    }
    let text: String = lines
        .join(" ")
        .chars()
        .filter(|char| !char.is_control())
        .take(MAX_WORDS)
        .collect();
    let text = text.trim_end_matches('.');
    if text.is_empty() {
        "git gave no reason.".to_owned()
    } else {
        format!("{text}.")
    }
}

fn is_error(line: &str) -> bool {
    ["fatal:", "error:", "remote:"]
        .iter()
        .any(|start| line.starts_with(start))
        || line.contains("Permission denied")
        || line.contains("Host key verification")
}

fn refuses_ids(error: &ProgramError) -> bool {
    matches!(error, ProgramError::Failed { stderr, .. } if stderr.contains("unadvertised object") || stderr.contains("not our ref"))
}

fn environment(folder: &Path) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> = PASSED_ON
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
        .collect();
    let fixed = [
        ("LC_ALL", "C.UTF-8"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_ALLOW_PROTOCOL", "https:ssh"),
        ("GIT_ASKPASS", "/bin/false"),
        ("GIT_OPTIONAL_LOCKS", "0"),
    ];
    env.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    env.insert("HOME".to_owned(), folder.display().to_string());
    if let Ok(file) = std::env::var("SSL_CERT_FILE") {
        env.insert("GIT_SSL_CAINFO".to_owned(), file);
    }
    env
}

impl Drop for Client<'_> {
    /// The playbook that runs next is not to find what git logged in with.
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(error = %callboard_core::causes::causes(&error), "what git was given is left until the job ends");
        }
    }
}

/// A token is asked for by a script that reads it from a file: it is in no argument and no variable.
fn use_token(wanted: &Wanted<'_>, folder: &Path, env: &mut BTreeMap<String, String>) -> Result<(), Unready> {
    let Some(access) = wanted.access else { return Ok(()) };
    let Some(token) = &access.token else {
        let wrong = format!(
            "The repository {} is reached by https, but its credential holds no token.",
            wanted.repo
        );
        return Err(Unready::credential(wrong));
    };
    let user = access.username.as_deref().unwrap_or("callboard");
    write_private(&folder.join("user"), user.as_bytes())?;
    write_private(&folder.join("token"), token.expose().as_bytes())?;
    let script = folder.join("askpass");
    let files = folder.display();
    write_script(
        &script,
        &format!("case \"$1\" in Username*) exec cat '{files}/user';; *) exec cat '{files}/token';; esac"),
    )?;
    env.insert("GIT_ASKPASS".to_owned(), script.display().to_string());
    Ok(())
}

/// A key is held by an agent; the server must be one whose key is known.
async fn use_key(
    wanted: &Wanted<'_>,
    folder: &Path,
    env: &mut BTreeMap<String, String>,
) -> Result<Option<Agent>, Unready> {
    let Some(key) = wanted.access.and_then(|access| access.key.as_ref()) else {
        let wrong = format!(
            "The repository {} is reached by ssh and needs a git_credential that holds a private_key.",
            wanted.repo
        );
        return Err(Unready::credential(wrong));
    };
    let rule = wanted
        .reach
        .policy
        .repository(&wanted.repo)
        .and_then(|rule| rule.known_hosts.as_deref());
    let own = wanted.access.and_then(|access| access.known_hosts.as_deref());
    let known = [rule, own].map(Option::unwrap_or_default).join("\n");
    let known_hosts = folder.join("known_hosts");
    write_private(&known_hosts, format!("{known}\n").as_bytes())?;
    let agent = Agent::start(folder, key).await?;
    let options = [
        "BatchMode=yes".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        format!("UserKnownHostsFile={}", known_hosts.display()),
        format!("IdentityAgent={}", agent.socket().display()),
        "ConnectTimeout=30".to_owned(),
        "ServerAliveInterval=15".to_owned(),
    ];
    let options = options.map(|option| format!("-o {option}")).join(" ");
    env.insert("GIT_SSH_COMMAND".to_owned(), format!("ssh -F /dev/null -a {options}"));
    env.insert("GIT_SSH_VARIANT".to_owned(), "ssh".to_owned());
    Ok(Some(agent))
}
