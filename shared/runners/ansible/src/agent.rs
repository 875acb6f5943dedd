//! An ssh-agent that holds one key while it is needed. The key is on disk only while it is being added.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use callboard_core::credential::KeyPair;
use callboard_process::files::{write_private, write_script};
use callboard_process::program::{Program, ProgramError, search_path};
use tokio::process::{Child, Command};
use tokio::time::sleep;
use uuid::Uuid;

use crate::owner::Owner;
use crate::unready::Unready;

const PAUSE: Duration = Duration::from_millis(2);
const TRIES: u32 = 1000;
const ADD_LIMIT: Duration = Duration::from_secs(20);
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A running agent; it ends when dropped.
pub(crate) struct Agent {
    socket: PathBuf,
    _process: Child,
}

impl Agent {
    /// Starts an agent in a folder, as whose owner it runs, since it answers nobody else, and gives it a key, with its certificate if there is
    /// one.
    pub(crate) async fn start(folder: &Path, key: &KeyPair, owner: Option<&Owner>) -> Result<Self, Unready> {
        let missing = |error| {
            Unready::credential("The program ssh-agent could not be run; OpenSSH must be installed where jobs run.")
                .caused(error)
        };
        // short: the path of a socket has at most 107 bytes
        let id = Uuid::new_v4().simple().to_string();
        let name = format!("a{}", &id[..8]);
        let socket = folder.join(&name);
        // everybody can read the command line: to another job of the same user, this name would be a key
        let agent = ["ssh-agent", "-D", "-a", &name].map(OsString::from);
        let launcher = owner.map(Owner::launcher).unwrap_or_default();
        let command: Vec<&OsString> = launcher.iter().chain(&agent).collect();
        if let Some(owner) = owner {
            owner.user().give(folder).await?;
        }
        let process = Command::new(command[0])
            .args(&command[1..])
            .current_dir(folder)
            .env_clear()
            .env("PATH", search_path())
            // identifies the agent if the service dies; see `processes.rs`
            .env("TMPDIR", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(missing)?;
        for _ in 0..TRIES {
            if socket.exists() {
                break;
            }
            sleep(PAUSE).await;
        }
        let agent = Self {
            socket,
            _process: process,
        };
        // beside it: what is in it is the owner's now
        let keys = folder.with_file_name(format!("k{}", &id[..8]));
        agent.add(&keys, key, owner).await?;
        Ok(agent)
    }

    /// Returns the path of the agent's socket, for `SSH_AUTH_SOCK`.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    async fn add(&self, folder: &Path, key: &KeyPair, owner: Option<&Owner>) -> Result<(), Unready> {
        fs::create_dir(folder)?;
        let file = folder.join("key");
        write_private(&file, key.private_key.expose().as_bytes())?;
        if let Some(certificate) = &key.certificate {
            write_private(
                &folder.join("key-cert.pub"),
                format!("{}\n", certificate.trim()).as_bytes(),
            )?;
        }
        let passphrase = folder.join("passphrase");
        write_private(
            &passphrase,
            key.passphrase.as_ref().map_or("", |secret| secret.expose()).as_bytes(),
        )?;
        // answers only once, because ssh-add keeps asking while the answer is wrong
        let askpass = folder.join("askpass");
        write_script(
            &askpass,
            "cd \"${0%/*}\" && [ -e passphrase ] && cat passphrase && rm passphrase; echo",
        )?;
        let env = BTreeMap::from([
            ("PATH".to_owned(), search_path()),
            ("SSH_AUTH_SOCK".to_owned(), self.socket.display().to_string()),
            ("SSH_ASKPASS".to_owned(), askpass.display().to_string()),
            ("SSH_ASKPASS_REQUIRE".to_owned(), "force".to_owned()),
            ("HOME".to_owned(), folder.display().to_string()),
        ]);
        let program = Program {
            arguments: vec!["ssh-add".into(), "-q".into(), file.into()],
            env: &env,
            folder,
            max_file_bytes: MAX_FILE_BYTES,
            limit: ADD_LIMIT,
            other: owner.map(|owner| owner.with(folder)),
        };
        let added = program.run().await;
        fs::remove_dir_all(folder)?;
        added.map(drop).map_err(|error| refused(key, error))
    }
}

fn refused(key: &KeyPair, error: ProgramError) -> Unready {
    let why = match (&error, &key.passphrase) {
        (ProgramError::Start(..), _) => "ssh-add could not be run; OpenSSH must be installed where jobs run",
        (_, Some(_)) => "ssh-add rejects it: the passphrase or the key is wrong",
        (_, None) => "ssh-add rejects it: OpenSSH does not recognize it as a key, or it needs a passphrase",
    };
    Unready::credential(format!("The private key cannot be used: {why}.")).caused(error)
}
