//! The contract of runners, on the Ansible runner with real Ansible.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use callboard_ansible::environment::{Environment, EnvironmentSettings, ensure};
use callboard_ansible::{
    AnsibleRunner, AnsibleSettings, FetchLimits, Home, Isolation, PlaybookFolder, Reach, longest_socket,
};
use callboard_core::base::id::Tenant;
use callboard_core::base::secret::Secret;
use callboard_core::credential::{AwsKeys, CloudRef, Credential, CredentialKind, CredentialRef, SecretError, Secrets};
use callboard_core::output::LogStore;
use callboard_core::request::{JobOptions, JobRequest};
use callboard_core::run::Runner;
use callboard_embedded::{FileHostKeyStore, FileLogStore, FolderArchiveCache};
use callboard_kind_ansible::access::Access;
use callboard_kind_ansible::request::AnsibleRequest;
use callboard_kind_ansible::source::{InlineSource, Source, TypedSource};
use callboard_process::{Children, JobFolders};
use callboard_sandbox::Surroundings;
use callboard_testkit::contract::runner::TestRunner;
use callboard_testkit::folders;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::OnceCell;

const SECRET: &str = "correct-horse-battery";
const CACHE_BYTES: u64 = 1 << 30;

/// What all runners of a process share: the tests of this suite are several runners at once.
static SHARED: OnceCell<(Environment, Arc<JobFolders>, Children)> = OnceCell::const_new();

struct Ansible(Arc<AnsibleRunner>);

/// Knows one password.
struct OnePassword;

#[async_trait]
impl Secrets for OnePassword {
    async fn resolve(
        &self,
        _tenant: &Tenant,
        _reference: &CredentialRef,
        _kinds: &[CredentialKind],
    ) -> Result<Credential, SecretError> {
        Ok(Credential::Vault {
            password: Secret::new(SECRET),
            vault_id: None,
        })
    }

    async fn cloud(&self, _tenant: &Tenant, _cloud: &CloudRef, _session: &str) -> Result<AwsKeys, SecretError> {
        Err(SecretError::new("There is no cloud."))
    }
}

async fn make() -> anyhow::Result<(Ansible, TempDir)> {
    let folder = tempfile::tempdir()?;
    let work = Path::new("/var/tmp");
    let shared = SHARED.get_or_try_init(|| async {
        let environment = EnvironmentSettings {
            cache: folders::cache()?,
            python: None,
            more: String::new(),
        };
        let environment = ensure(&environment, &|_| {}).await?;
        let folders = JobFolders::create(work, longest_socket())?;
        Ok::<_, anyhow::Error>((environment, Arc::new(folders), Children::adopt()?))
    });
    let (environment, folders, children) = shared.await?.clone();
    let settings = AnsibleSettings {
        environment,
        playbooks: PlaybookFolder::open(folder.path())?,
        typed_playbooks: Vec::new(),
        work: work.to_owned(),
        home: Home::Private,
        working_folder: None,
        color: false,
        configured_inventory_first: false,
        extra_arguments: Vec::new(),
        grace: Duration::from_secs(2),
        isolation: isolation(&folders),
        viewer: None,
    };
    let reach = Reach {
        policy: Arc::default(),
        secrets: Arc::new(OnePassword),
        archives: Arc::new(FolderArchiveCache::new(folder.path().join("archives"), CACHE_BYTES)),
        host_keys: Arc::new(FileHostKeyStore::new(folder.path().to_owned())),
        limits: FetchLimits::default(),
    };
    Ok((
        Ansible(Arc::new(AnsibleRunner::new(settings, reach, folders, children))),
        folder,
    ))
}

/// What holds for a runner holds where its jobs are isolated, too, as far as this machine can do that.
fn isolation(folders: &JobFolders) -> Isolation {
    let surroundings = Surroundings {
        hidden: folders.path().parent().map(Path::to_owned).into_iter().collect(),
        ..Surroundings::default()
    };
    Isolation::default().find(surroundings, true).unwrap_or_default()
}

/// Makes a request to run tasks on this machine.
fn tasks(tasks: &serde_json::Value) -> AnsibleRequest {
    let plays = json!([{"hosts": "all", "gather_facts": false, "tasks": tasks}]);
    AnsibleRequest {
        source: Source::Typed(TypedSource::Inline(InlineSource {
            content: plays.to_string(),
        })),
        ..AnsibleRequest::default()
    }
}

fn shell(script: &str) -> JobRequest {
    let task = json!([{"ansible.builtin.shell": {"cmd": script}}]);
    tasks(&task).with_options(JobOptions::default())
}

impl TestRunner for Ansible {
    fn runner(&self) -> Arc<dyn Runner> {
        self.0.clone()
    }

    fn logs(&self, folder: &Path) -> Arc<dyn LogStore> {
        Arc::new(FileLogStore::new(folder.to_owned()))
    }

    fn prints(&self, lines: &[String]) -> JobRequest {
        tasks(&json!([{"ansible.builtin.debug": {"msg": lines}}])).with_options(JobOptions::default())
    }

    fn fails(&self) -> JobRequest {
        tasks(&json!([{"ansible.builtin.fail": {"msg": "It was to fail"}}])).with_options(JobOptions::default())
    }

    fn leaves(&self, pid_file: &Path) -> JobRequest {
        let file = pid_file.display();
        shell(&format!(
            "setsid sh -c 'echo $$ > {file}; exec sleep 600' > /dev/null 2>&1 < /dev/null & while [ ! -s {file} ]; do sleep 0.05; done"
        ))
    }

    fn works(&self, pid_file: &Path, deaf: bool) -> JobRequest {
        let (file, trap) = (pid_file.display(), if deaf { "trap '' TERM; " } else { "" });
        shell(&format!("{trap}echo $$ > {file}; while :; do sleep 0.1; done"))
    }

    fn tells(&self) -> (JobRequest, String) {
        let request = AnsibleRequest {
            credentials: Access {
                vault_password: Some(CredentialRef::Stored("prod-vault".to_owned())),
                ..Access::default()
            },
            ..tasks(&json!([{"ansible.builtin.debug": {"msg": format!("it is {SECRET}, you know")}}]))
        };
        (request.with_options(JobOptions::default()), SECRET.to_owned())
    }
}

callboard_testkit::runner_contract!(make);
