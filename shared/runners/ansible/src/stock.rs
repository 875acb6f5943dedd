//! `ansible-playbook` itself, for runs that only show something and need no job.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use callboard_kind_ansible::inventory::Inventory;

use crate::environ;
use crate::environment::Environment;

/// Takes the folder of the host's package, the inventory to use if nothing names one, and the program with its arguments.
const CODE: &str = "import sys; sys.path.append(sys.argv[1]); from callboard_host import stock; \
                    stock.main(sys.argv[2], sys.argv[3:])";

/// Returns a command that runs `ansible-playbook` with the configuration and the inventory that a run of a playbook in
/// `folder` has; the caller adds the arguments.
#[must_use]
pub fn stock(environment: &Environment, cwd: &Path, folder: &Path) -> Command {
    let mut command = Command::new(&environment.python);
    command
        .args(["-P", "-c", CODE])
        .arg(&environment.host)
        .arg(fallback())
        .arg(environment.programs().join("ansible-playbook"));
    let mut found = BTreeMap::new();
    if std::env::var_os("ANSIBLE_CONFIG").is_none() {
        environ::add_configuration(&mut found, folder, cwd, folder);
    }
    command.envs(found);
    command
}

fn fallback() -> String {
    match Inventory::default() {
        Inventory::Text(text) => text,
        Inventory::Typed(_) | Inventory::Several(_) => String::new(),
    }
}
