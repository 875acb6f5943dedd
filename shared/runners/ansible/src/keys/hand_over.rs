//! Passes secrets to Ansible in files and an agent, in a folder that belongs to the job alone.

use std::collections::BTreeMap;
use std::path::Path;

use callboard_core::base::secret::Secret;
use callboard_process::files::write_private;

use super::Keys;
use crate::agent::Agent;
use crate::unready::Unready;
use crate::workspace::Workspace;

impl Keys {
    /// Writes the secrets that Ansible gets in files into a folder that belongs to the job alone; adds the arguments and
    /// variables that name them, and returns the agent that holds the ssh key.
    pub(crate) async fn hand_over(
        &self,
        workspace: &Workspace,
        argv: &mut Vec<String>,
        env: &mut BTreeMap<String, String>,
    ) -> Result<Option<Agent>, Unready> {
        let folder = &workspace.keys()?;
        let mut put = |name: &str, flag: &str, secret: &Secret| -> Result<(), Unready> {
            let path = folder.join(name);
            write_private(&path, format!("{}\n", secret.expose()).as_bytes())?;
            argv.push(format!("{flag}{}", path.display()));
            Ok(())
        };
        if let Some(password) = &self.password {
            put("connection", "--connection-password-file=", password)?;
        }
        if let Some(password) = &self.become_password {
            put("become", "--become-password-file=", password)?;
        }
        for (number, (label, password)) in self.vaults.iter().enumerate() {
            put(&format!("vault-{number}"), &format!("--vault-id={label}@"), password)?;
        }
        self.hand_over_profiles(folder, env)?;
        let Some(ssh) = &self.ssh else { return Ok(None) };
        let agent = Agent::start(folder, &ssh.key, workspace.owner()).await?;
        env.insert("SSH_AUTH_SOCK".to_owned(), agent.socket().display().to_string());
        Ok(Some(agent))
    }

    fn hand_over_profiles(&self, folder: &Path, env: &mut BTreeMap<String, String>) -> Result<(), Unready> {
        if self.profiles.is_empty() {
            return Ok(());
        }
        let mut text = String::new();
        for (name, keys) in &self.profiles {
            let (id, key) = (&keys.access_key_id, keys.secret_access_key.expose());
            text.push_str(&format!(
                "[{name}]\naws_access_key_id = {id}\naws_secret_access_key = {key}\n"
            ));
            if let Some(token) = &keys.session_token {
                text.push_str(&format!("aws_session_token = {}\n", token.expose()));
            }
            if let Some(region) = &keys.region {
                text.push_str(&format!("region = {region}\n"));
            }
        }
        let path = folder.join("aws");
        write_private(&path, text.as_bytes())?;
        env.insert("AWS_SHARED_CREDENTIALS_FILE".to_owned(), path.display().to_string());
        Ok(())
    }
}
