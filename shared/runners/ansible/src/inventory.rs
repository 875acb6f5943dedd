//! From a request's inventory to the arguments and files that give it to Ansible.

use std::collections::BTreeMap;
use std::io;

use callboard_core::inventory::Inventory;
use serde_json::{Value, json};

use crate::workspace::Workspace;

/// Returns what `--inventory` is given, in order; writes what that names into the job's folder.
pub(crate) fn sources(inventory: &Inventory, workspace: &Workspace) -> io::Result<Vec<String>> {
    let several = match inventory {
        Inventory::Several(several) => several.as_slice(),
        one => std::slice::from_ref(one),
    };
    let numbered = several.iter().enumerate();
    let mut sources: Vec<String> = numbered
        .map(|(number, one)| source(one, number, workspace))
        .collect::<io::Result<_>>()?;
    if several.iter().any(lists_localhost) {
        let path = workspace.write("localhost.json", this_machine().to_string().as_bytes())?;
        sources.push(path.display().to_string());
    }
    Ok(sources)
}

fn source(inventory: &Inventory, number: usize, workspace: &Workspace) -> io::Result<String> {
    match inventory {
        Inventory::Text(text) => Ok(text.clone()),
        Inventory::Inline(inline) => {
            let path = workspace.write(&format!("inventory-{number}.json"), &serde_json::to_vec(&inline.data)?)?;
            Ok(path.display().to_string())
        }
        Inventory::Several(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a list of inventories in a list",
        )),
    }
}

fn lists_localhost(inventory: &Inventory) -> bool {
    matches!(inventory, Inventory::Text(text) if text.contains(',') && text.split(',').any(|host| host.trim() == "localhost"))
}

/// What Ansible knows of `localhost` when no inventory names it. A list that does name it, as the default one,
/// would have Ansible reach this very machine through ssh.
fn this_machine() -> Value {
    json!({"all": {"hosts": {"localhost": {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }}}})
}

/// Inline groups are data; without this, a group named `plugin` would name an inventory plugin to run.
pub(crate) fn restrict(env: &mut BTreeMap<String, String>, inventory: &Inventory) {
    let is_inline = |one: &Inventory| matches!(one, Inventory::Inline(_));
    let inline = match inventory {
        Inventory::Several(several) => several.iter().any(is_inline),
        one => is_inline(one),
    };
    if inline {
        env.insert("ANSIBLE_INVENTORY_ENABLED".to_owned(), "host_list,yaml".to_owned());
    }
}
