//! `runner_config` of services that are programs on the worker.

use std::collections::BTreeMap;

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::hex::from_hex;
use serde::{Deserialize, Serialize};

use super::places::{choice, template_list};
use super::variables::{Variable, environment};
use crate::security::{SecurityPolicy, is_plain_path};
use crate::template::Template;

const MAX_PATH_BYTES: usize = 1024;

/// How a program is run: never by a shell.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ShellConfig {
    /// The program, by its absolute path.
    pub command: String,
    /// The SHA-256 digest of its file, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Its arguments. Each template becomes exactly one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Argument>,
    /// All of its variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, Variable>,
    /// Whether it gets the input as JSON on its standard input.
    pub stdin: bool,
    /// What it prints.
    pub output: OutputFormat,
    /// The exit codes that count as successful.
    pub success_codes: Vec<u8>,
}

/// One argument.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Argument(pub Template);

/// What a program prints on its standard output.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputFormat {
    /// Text.
    Text,
    /// One JSON document.
    Json,
}

impl OutputFormat {
    /// Reads the field `output`; absent is text.
    pub(super) fn read(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        match choice(fields, "output", &["text", "json"], "text", faults) {
            "json" => Self::Json,
            _ => Self::Text,
        }
    }
}

impl ShellConfig {
    pub(super) fn read(fields: &mut Fields<'_>, policy: &SecurityPolicy, faults: &mut Faults) -> Option<Self> {
        let command = fields.required_line("command", MAX_PATH_BYTES, faults);
        if let Some(command) = command {
            let allowed = &policy.allowed_commands;
            if !is_plain_path(command) {
                faults.add(
                    fields.pointer("command"),
                    "must be an absolute path without `.` and `..`",
                );
            } else if !allowed.is_empty() && !allowed.iter().any(|path| path == command) {
                faults.add(
                    fields.pointer("command"),
                    "is not in the allowed_commands of the service's security_policy",
                );
            }
        }
        let sha256 = fields.line("sha256", 64, faults).map(str::to_ascii_lowercase);
        if sha256.as_deref().is_some_and(|text| from_hex(text).is_none()) {
            faults.add(fields.pointer("sha256"), "must be 64 hexadecimal digits");
        }
        let args = template_list(fields, "args", faults);
        check_dashes("args", &args, fields, faults);
        let stdin = choice(fields, "stdin", &["input", "none"], "none", faults) == "input";
        let output = OutputFormat::read(fields, faults);
        let environment = environment(fields, faults);
        let success_codes = codes(fields, faults);
        Some(Self {
            command: command?.to_owned(),
            sha256,
            args: args.into_iter().map(Argument).collect(),
            environment,
            stdin,
            output,
            success_codes,
        })
    }

    pub(super) fn input_fields(&self) -> Vec<&str> {
        self.args.iter().flat_map(|argument| argument.0.fields()).collect()
    }
}

/// An argument that begins with a field could become an option of the program, unless `--` stands before it.
pub(super) fn check_dashes(name: &str, args: &[Template], fields: &Fields<'_>, faults: &mut Faults) {
    let mut options_are_over = false;
    for (index, argument) in args.iter().enumerate() {
        options_are_over |= String::from(argument.clone()) == "--";
        if argument.begins_with_a_field() && !options_are_over {
            faults.add(
                format!("{}/{index}", fields.pointer(name)),
                "begins with a field, which could become an option: put \"--\" before it, or join it to its option (\"--file={file}\")",
            );
        }
    }
}

/// Reads the field `success_codes`; absent is 0 alone.
pub(super) fn codes(fields: &mut Fields<'_>, faults: &mut Faults) -> Vec<u8> {
    let Some(value) = fields.get("success_codes") else {
        return vec![0];
    };
    let codes = value
        .as_array()
        .map(|codes| codes.iter().map(|code| u8::try_from(code.as_u64()?).ok()).collect());
    match codes {
        Some(Some(codes)) => codes,
        _ => {
            faults.add(
                fields.pointer("success_codes"),
                "must be a list of exit codes from 0 to 255",
            );
            Vec::new()
        }
    }
}
