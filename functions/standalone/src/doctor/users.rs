//! Checks the users that jobs run as.

use callboard_ansible::access;
use callboard_ansible::environment::{self, Look};
use callboard_core::care::Finding;
use callboard_process::JobUsers;

use crate::cli::DoctorArguments;
use crate::{job_users, setup};

/// Looks whether the users of jobs, as they were found, reach what jobs need; `None` if jobs run as the service's user.
pub(super) async fn look(arguments: &DoctorArguments, found: &anyhow::Result<Option<JobUsers>>) -> Option<Finding> {
    let users = match found {
        Ok(users) => users.as_ref()?,
        Err(error) => return Some(Finding::error("users", format!("{error:#}"))),
    };
    Some(
        reach(arguments, users)
            .await
            .unwrap_or_else(|error| Finding::error("users", format!("{error:#}"))),
    )
}

async fn reach(arguments: &DoctorArguments, users: &JobUsers) -> anyhow::Result<Finding> {
    let common = &arguments.common;
    job_users::keep_out(&setup::data_path(&common.data)?)?;
    let playbooks = arguments.playbooks.open()?;
    let Look::Ready { folder, .. } = environment::look(&setup::environment_settings(common)?).await? else {
        return Ok(Finding::warning(
            "users",
            "Whether the users of jobs reach what jobs need is not known: there is no Ansible environment.",
            "Look again when there is one.",
        ));
    };
    let python = folder.join("bin/python");
    Ok(
        match access::look(users, &python, &common.work, playbooks.path()).await? {
            None => Finding::ok(
                "users",
                "The users of jobs reach Ansible, the folder for running jobs and all playbooks.",
            ),
            Some(path) => Finding::warning(
                "users",
                format!(
                    "The users of jobs cannot read {}, among others perhaps.",
                    path.display()
                ),
                format!("chmod -R o+rX {}, if jobs need it.", playbooks.path().display()),
            ),
        },
    )
}
