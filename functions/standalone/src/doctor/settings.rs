//! Checks what the settings refer to: the policy and the Ansible environment.

use callboard_ansible::environment::{self, Look};
use callboard_core::base::sentence::sentence;
use callboard_core::care::Finding;

use crate::cli::Common;
use crate::services::Source;
use crate::setup;

/// Reads the policy.
pub(super) fn policy(common: &Common) -> Finding {
    let told = match &common.policy {
        Some(path) => format!("The policy {} can be read.", path.display()),
        None if std::env::var_os("CALLBOARD_POLICY").is_some_and(|text| !text.is_empty()) => {
            "The policy of the variable CALLBOARD_POLICY can be read.".to_owned()
        }
        None => "There is no policy: requests reach nothing that needs permission.".to_owned(),
    };
    match setup::policies(common.policy.as_deref()) {
        Ok(_) => Finding::ok("policy", told),
        Err(error) => Finding::fault(
            "policy",
            sentence(&format!("{error:#}")),
            "docs/configuration.md says what a policy may have.",
        ),
    }
}

/// Reads the registry of services.
pub(super) fn services(common: &Common) -> Finding {
    let Some(path) = &common.services else {
        return Finding::ok("services", "There is no registry: no services can be called.");
    };
    match Source::open(Some(path)) {
        Ok(source) => {
            let services = source.in_force().current().services.len();
            let told = format!(
                "The registry {} can be read; services in it: {services}.",
                path.display()
            );
            Finding::ok("services", told)
        }
        Err(error) => Finding::fault(
            "services",
            sentence(&format!("{error:#}")),
            "docs/services.md says what a registry may have; `callboard services check` names every fault.",
        ),
    }
}

/// Checks whether the environment exists, and starts its Python.
pub(super) async fn ansible(common: &Common) -> Finding {
    let settings = match setup::environment_settings(common) {
        Ok(settings) => settings,
        Err(error) => return Finding::error("ansible", format!("{error:#}")),
    };
    match environment::look(&settings).await {
        Ok(Look::Ready {
            folder,
            python,
            ansible,
        }) => {
            let told = format!("ansible-core {ansible} on Python {python}, in {}.", folder.display());
            Finding::ok("ansible", told)
        }
        Ok(Look::Absent { folder, python }) => {
            let (major, minor) = python.version;
            Finding::warning(
                "ansible",
                format!("The Ansible environment {} is not made yet.", folder.display()),
                format!(
                    "The first `callboard run` or `callboard serve` makes it, with Python {major}.{minor} ({}).",
                    python.path.display()
                ),
            )
        }
        Ok(Look::Broken { folder, output }) => Finding::fault(
            "ansible",
            format!("The Ansible environment {} does not start: {output}.", folder.display()),
            "Delete that folder: the next `callboard run` or `callboard serve` makes it anew.",
        ),
        Err(error) => Finding::error("ansible", error),
    }
}
