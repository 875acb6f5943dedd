//! Turns the flags of `run` into a request, and into the arguments that are not recorded.

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use callboard_ansible::is_collection_playbook;
use callboard_core::request::{JobOptions, JobRequest};
use callboard_kind_ansible::inventory::Inventory;
use callboard_kind_ansible::options::AnsibleOptions;
use callboard_kind_ansible::request::AnsibleRequest;
use callboard_kind_ansible::source::Source;

use crate::cli::RunArguments;

/// The label that lists all playbooks of a job with several; the record itself is named after the first one.
const PLAYBOOKS: &str = "playbooks";
/// The highest verbosity that a request may ask for.
const MAX_VERBOSITY: u8 = 4;

/// Returns the folder that is searched for an `ansible.cfg`, besides the current folder: the folder of the first playbook that
/// is a file. Fails if a playbook does not exist; playbooks named by collection are left to Ansible to find.
pub(super) fn playbooks_folder(playbooks: &[String]) -> anyhow::Result<PathBuf> {
    let mut folder = None;
    for playbook in playbooks {
        let kind = match std::fs::metadata(playbook) {
            Ok(found) => found.file_type(),
            Err(_) if is_collection_playbook(playbook) => continue,
            Err(error) => return Err(error).with_context(|| format!("the playbook {playbook} is not there")),
        };
        if !kind.is_file() && !kind.is_fifo() {
            bail!("{playbook} is not a file, so it cannot be a playbook");
        }
        let real = Path::new(playbook).canonicalize().ok().filter(|_| kind.is_file());
        folder = folder.or_else(|| real?.parent().map(Path::to_owned));
    }
    folder.map_or_else(super::current_folder, Ok)
}

/// Makes the request that is recorded.
pub(super) fn request(arguments: &RunArguments) -> anyhow::Result<JobRequest> {
    let inventories = arguments.inventory.iter().map(|text| inventory(text));
    let mut inventories = inventories.collect::<anyhow::Result<Vec<_>>>()?;
    let inventory = match inventories.len() {
        0 => Inventory::default(),
        1 => inventories.remove(0),
        _ => Inventory::Several(inventories),
    };
    let mut every = JobOptions {
        timeout: arguments.timeout,
        ..JobOptions::default()
    };
    if arguments.playbooks.len() > 1 {
        let playbooks = arguments.playbooks.join(", ");
        every.labels.insert(PLAYBOOKS.to_owned(), playbooks);
    }
    let first = arguments.playbooks.first().map(Path::new).and_then(Path::file_name);
    let request = AnsibleRequest {
        source: Source::Playbook(first.unwrap_or_default().to_string_lossy().into_owned()),
        inventory,
        options: options(arguments),
        ..AnsibleRequest::default()
    };
    Ok(request.with_options(every))
}

/// Returns the options that a request can express.
pub(super) fn options(arguments: &RunArguments) -> AnsibleOptions {
    AnsibleOptions {
        check: arguments.check,
        diff: arguments.diff,
        tags: arguments.tags.clone(),
        skip_tags: arguments.skip_tags.clone(),
        limit: arguments.limit.clone(),
        verbosity: arguments.verbose.min(MAX_VERBOSITY),
        forks: arguments.forks,
        start_at_task: arguments.start_at_task.clone(),
        r#become: arguments.privileges.r#become,
        become_user: arguments.privileges.become_user.clone(),
        become_method: arguments.privileges.become_method.clone(),
        remote_user: arguments.connection.user.clone(),
        connection: arguments.connection.plugin.clone(),
        flush_cache: arguments.flush_cache,
        ..AnsibleOptions::default()
    }
}

/// Returns the other arguments of `ansible-playbook`, which are not recorded.
pub(super) fn unrecorded(arguments: &RunArguments) -> Vec<String> {
    let (connection, vaults) = (&arguments.connection, &arguments.vaults);
    let timeout = connection.connection_timeout.map(|seconds| seconds.to_string());
    let single = [
        ("--timeout", &timeout),
        ("--private-key", &connection.private_key),
        ("--connection-password-file", &connection.connection_password_file),
        ("--ssh-common-args", &connection.ssh_common_args),
        ("--ssh-extra-args", &connection.ssh_extra_args),
        ("--sftp-extra-args", &connection.sftp_extra_args),
        ("--scp-extra-args", &connection.scp_extra_args),
        ("--become-password-file", &arguments.privileges.become_password_file),
    ];
    let several = [
        ("--extra-vars", &arguments.extra_vars),
        ("--module-path", &arguments.module_path),
        ("--vault-id", &vaults.ids),
        ("--vault-password-file", &vaults.password_files),
    ];
    let single = single
        .into_iter()
        .filter_map(|(flag, value)| Some((flag, value.as_ref()?)));
    let several = several
        .into_iter()
        .flat_map(|(flag, values)| values.iter().map(move |value| (flag, value)));
    let mut all: Vec<String> = single
        .chain(several)
        .map(|(flag, value)| format!("{flag}={value}"))
        .collect();
    all.extend(arguments.force_handlers.then(|| "--force-handlers".to_owned()));
    all.extend((MAX_VERBOSITY..arguments.verbose).map(|_| "-v".to_owned()));
    all.extend(arguments.more.iter().cloned());
    all
}

/// Parses an inventory: a text with a comma is a list of hosts, any other text is a path, as for `ansible-playbook -i`.
fn inventory(text: &str) -> anyhow::Result<Inventory> {
    if text.contains(',') {
        return Ok(Inventory::Text(text.to_owned()));
    }
    // Ansible expands these
    if text.starts_with('~') || text.contains('$') {
        return Ok(Inventory::Text(text.to_owned()));
    }
    // not the real path: variable files are next to the link
    let path = std::path::absolute(text).ok().filter(|path| path.exists());
    let path =
        path.with_context(|| format!("there is no inventory {text} (for a list of hosts add a comma: -i {text},)"))?;
    Ok(Inventory::Text(path.display().to_string()))
}
