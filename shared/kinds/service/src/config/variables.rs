//! The variables of programs and containers.

use std::collections::BTreeMap;

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::json::escape;
use callboard_core::credential::{CredentialKind, CredentialRef};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const MAX_VALUE_BYTES: usize = 4096;
/// Variables with which a program could be made to run another one.
const FORBIDDEN: [&str; 8] = [
    "IFS",
    "BASH_ENV",
    "ENV",
    "SHELLOPTS",
    "PYTHONSTARTUP",
    "PERL5OPT",
    "RUBYOPT",
    "NODE_OPTIONS",
];

/// The value of a variable.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Variable {
    /// A text.
    Text(String),
    /// A secret.
    Secret {
        /// The secret.
        credential: CredentialRef,
    },
}

impl Variable {
    /// The kinds of credentials that a variable may hold.
    pub const SECRETS: &[CredentialKind] = &[CredentialKind::Password, CredentialKind::Bearer];
}

/// Reads the variables of a program.
pub(super) fn environment(fields: &mut Fields<'_>, faults: &mut Faults) -> BTreeMap<String, Variable> {
    let pointer = fields.pointer("environment");
    let mut found = BTreeMap::new();
    for (name, value) in fields.object("environment", faults).into_iter().flatten() {
        let pointer = format!("{pointer}/{}", escape(name));
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || name.as_bytes()[0].is_ascii_digit() || !name.bytes().all(good) {
            faults.add(pointer, "is no name of a variable: letters, digits and `_`");
            continue;
        }
        if name.starts_with("LD_") || FORBIDDEN.contains(&name.as_str()) {
            faults.add(pointer, "is not allowed: it changes which programs run");
            continue;
        }
        let variable = match value {
            Value::String(text) if text.len() <= MAX_VALUE_BYTES && !text.contains('\0') => {
                Some(Variable::Text(text.clone()))
            }
            Value::Object(_) => secret(value, &pointer, faults),
            _ => {
                faults.add(pointer, "must be a string, or an object with a credential");
                None
            }
        };
        found.extend(variable.map(|variable| (name.clone(), variable)));
    }
    found
}

fn secret(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Variable> {
    let mut own = Fields::of(value, pointer, faults)?;
    let credential = CredentialRef::field(&mut own, "credential", faults);
    if own.get("credential").is_none() {
        faults.add(own.pointer("credential"), "is missing");
    }
    own.finish(faults);
    Some(Variable::Secret {
        credential: credential?,
    })
}
