//! Collections and roles that a source requires, installed by ansible-galaxy and kept by the cache.

mod key;
mod words;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use callboard_core::causes::causes;
use callboard_core::id::Tenant;
use callboard_core::ports::Archive;
use callboard_core::time::{Clock, SystemClock};
use uuid::Uuid;

use self::key::key;
use self::words::words;
use crate::archive;
use crate::program::{Program, ProgramError};
use crate::reach::Reach;
use crate::settings::AnsibleSettings;
use crate::unready::Unready;

/// Where a source may say what it requires, in its root and in the playbook's folder.
const PLACES: [&str; 6] = [
    "requirements.yml",
    "requirements.yaml",
    "collections/requirements.yml",
    "collections/requirements.yaml",
    "roles/requirements.yml",
    "roles/requirements.yaml",
];
/// What ansible-galaxy is told of the server, its token included.
const CONFIGURATION: &str = "galaxy.cfg";
/// How long the answer to a range of versions holds.
const FRESH: Duration = Duration::from_secs(24 * 3600);
/// Starts ansible-galaxy with the replacement for the semaphores that a Lambda does not have.
const GALAXY: &str = "import sys
from callboard_host import semaphores
semaphores.install()
from ansible.cli.galaxy import GalaxyCLI
GalaxyCLI.cli_executor(['ansible-galaxy', *sys.argv[1:]])";

/// Something for ansible-galaxy to install.
pub(crate) struct Requirements<'a> {
    /// What it is for, in an error: `"The requirements of ..."`.
    pub(crate) of: String,
    /// Files of requirements, in the format that ansible-galaxy reads.
    pub(crate) files: Vec<PathBuf>,
    /// The server to ask, and its token.
    pub(crate) server: Option<(&'a str, Option<&'a str>)>,
    /// Tells servers, tokens and tenants apart.
    pub(crate) identity: String,
    /// Whether it names exact versions only, so that the answer holds for ever.
    pub(crate) exact: bool,
    /// The folder that ansible-galaxy runs in; an `ansible.cfg` there counts.
    pub(crate) folder: PathBuf,
    /// The commit that is in the folder.
    pub(crate) commit: Option<String>,
}

/// Finds what a source says that it requires.
pub(crate) fn find(root: &Path, playbook_folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in [root, playbook_folder] {
        let below = folder.strip_prefix(root).unwrap_or(Path::new("."));
        let places = PLACES
            .iter()
            .filter_map(|place| archive::inside(root, below.join(place).to_str()?));
        for path in places.filter(|path| path.is_file()) {
            if !found.contains(&path) {
                found.push(path);
            }
        }
    }
    found
}

/// Installs requirements below a folder, which then has `collections` and `roles`.
pub(crate) async fn install(
    settings: &AnsibleSettings,
    reach: &Reach,
    tenant: &Tenant,
    requirements: &Requirements<'_>,
    env: &BTreeMap<String, String>,
    scratch: &Path,
) -> Result<PathBuf, Unready> {
    let key = key(settings, tenant, requirements)?;
    let unpacked = scratch.join(format!("galaxy-{}", Uuid::new_v4().simple()));
    fs::create_dir(&unpacked)?;
    let cached = match &key {
        Some(key) => reach.archives.get(key, &unpacked).await.ok().flatten(),
        None => None,
    };
    if let Some(cached) = cached.as_ref().filter(|cached| requirements.exact || is_fresh(cached)) {
        return unpack(cached, unpacked.join("installed")).await;
    }
    let installed = unpacked.join("installed");
    let ran = run(settings, reach, requirements, env, &unpacked, &installed).await;
    // the playbook that runs next is not to find the token
    let configuration = unpacked.join(CONFIGURATION);
    if configuration.exists() {
        fs::remove_file(configuration)?;
    }
    match ran {
        Ok(()) => {
            if let Some(key) = key {
                keep(reach, &key, &installed, &unpacked.join("installed.tar")).await?;
            }
            Ok(installed)
        }
        Err(error) => match cached {
            Some(cached) => {
                tracing::warn!(error = %causes(&error), "ansible-galaxy failed; what it installed before is used");
                unpack(&cached, unpacked.join("earlier")).await
            }
            None => Err(failed(requirements, reach, error)),
        },
    }
}

async fn keep(reach: &Reach, key: &str, installed: &Path, packed: &Path) -> Result<(), Unready> {
    archive::pack(installed.to_owned(), packed.to_owned()).await?;
    if let Err(error) = reach.archives.put(key, packed).await {
        tracing::warn!(error = %causes(&error), "what ansible-galaxy installed could not be cached");
    }
    Ok(())
}

async fn unpack(cached: &Archive, folder: PathBuf) -> Result<PathBuf, Unready> {
    archive::unpack(cached.path.clone(), folder.clone()).await?;
    Ok(folder)
}

fn is_fresh(cached: &Archive) -> bool {
    SystemClock.now().since(cached.made_at) < FRESH
}

async fn run(
    settings: &AnsibleSettings,
    reach: &Reach,
    requirements: &Requirements<'_>,
    env: &BTreeMap<String, String>,
    scratch: &Path,
    installed: &Path,
) -> Result<(), ProgramError> {
    let io = |error| ProgramError::Start("ansible-galaxy".to_owned(), error);
    let mut env = env.clone();
    for (name, folder) in [
        ("ANSIBLE_COLLECTIONS_PATH", "collections"),
        ("ANSIBLE_ROLES_PATH", "roles"),
    ] {
        let own = installed.join(folder);
        fs::create_dir_all(&own).map_err(io)?;
        let known = env.get(name).map(|known| format!(":{known}")).unwrap_or_default();
        env.insert(name.to_owned(), format!("{}{known}", own.display()));
    }
    env.extend([
        ("PYTHONPATH".to_owned(), settings.environment.host.display().to_string()),
        ("GIT_TERMINAL_PROMPT".to_owned(), "0".to_owned()),
        ("GIT_ALLOW_PROTOCOL".to_owned(), "https:ssh".to_owned()),
        ("ANSIBLE_NOCOLOR".to_owned(), "1".to_owned()),
        (
            "ANSIBLE_GALAXY_CACHE_DIR".to_owned(),
            scratch.join("cache").display().to_string(),
        ),
    ]);
    if let Some(authorities) = env.get("SSL_CERT_FILE").cloned() {
        env.insert("GIT_SSL_CAINFO".to_owned(), authorities);
    }
    if let Some((url, token)) = requirements.server {
        let token = token.map(|token| format!("token = {token}\n")).unwrap_or_default();
        let text = format!("[galaxy]\nserver_list = callboard\n[galaxy_server.callboard]\nurl = {url}\n{token}");
        let path = scratch.join(CONFIGURATION);
        crate::files::write_private(&path, text.as_bytes()).map_err(io)?;
        env.insert("ANSIBLE_CONFIG".to_owned(), path.display().to_string());
    }
    for file in &requirements.files {
        let python = settings.environment.python.clone();
        let arguments: [OsString; 7] = [
            python.into(),
            "-P".into(),
            "-c".into(),
            GALAXY.into(),
            "install".into(),
            "-r".into(),
            file.into(),
        ];
        let program = Program {
            arguments: arguments.into(),
            env: &env,
            folder: &requirements.folder,
            max_file_bytes: reach.limits.max_bytes,
            limit: reach.limits.timeout,
        };
        program.run().await?;
    }
    Ok(())
}

fn failed(requirements: &Requirements<'_>, reach: &Reach, error: ProgramError) -> Unready {
    let of = &requirements.of;
    let message = match &error {
        ProgramError::Start(..) => format!("{of} could not be installed: ansible-galaxy could not be run."),
        ProgramError::TimedOut(_) => format!(
            "{of} could not be installed within {} s.",
            reach.limits.timeout.as_secs()
        ),
        ProgramError::Failed { stderr, .. } => {
            let words = words(stderr).replace(&format!("{}/", requirements.folder.display()), "");
            format!("{of} could not be installed: {words}")
        }
    };
    Unready::source(message).caused(error)
}
