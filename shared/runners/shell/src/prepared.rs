//! Makes the plan of a call: its arguments, its variables, and how it is confined.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use callboard_core::base::hex::from_hex;
use callboard_core::base::id::JobId;
use callboard_core::base::secret::Secret;
use callboard_kind_service::config::{ShellConfig, Variable};
use callboard_kind_service::request::ServiceRequest;
use callboard_kind_service::security::{Isolation, Network, ResourceLimits};
use callboard_sandbox::{Limits, Means, Plan};
use serde_json::Value;

/// What programs have that a service names no other.
const PATH: &str = "/usr/bin:/bin";
const LANG: &str = "C.UTF-8";
/// The longest argument or variable that Linux hands to a program, and how much of both together is taken.
const MAX_ARGUMENT_BYTES: usize = 128 * 1024 - 1;
const MAX_TOGETHER_BYTES: usize = 1024 * 1024;

/// Makes the plan of a request. `secrets` are those of the variables, by name.
///
/// # Errors
/// A sentence that says what of the input does not fit.
pub(crate) fn plan(
    request: &ServiceRequest,
    config: &ShellConfig,
    secrets: BTreeMap<String, Secret>,
    job: JobId,
    folder: &Path,
) -> Result<Plan, String> {
    let policy = &request.call.security_policy;
    let arguments = arguments(config, &Value::Object(request.input.clone()))?;
    let environment = environment(config, secrets, job, folder);
    check_size(&arguments, &environment)?;
    let paths = |paths: &[String]| paths.iter().map(PathBuf::from).collect();
    Ok(Plan {
        program: PathBuf::from(&config.command),
        sha256: config.sha256.as_deref().and_then(from_hex),
        arguments,
        interpreters: paths(&policy.allowed_commands),
        environment,
        folder: folder.to_owned(),
        stdin: config.stdin.then(|| Value::Object(request.input.clone()).to_string()),
        limits: limits(policy.resource_limits),
        network: policy.network != Network::None,
        read: paths(&policy.read_paths),
        write: paths(&policy.write_paths),
        namespaces: false,
        demanded: policy.isolation.iter().map(|means| self::means(*means)).collect(),
    })
}

fn arguments(config: &ShellConfig, input: &Value) -> Result<Vec<String>, String> {
    let fill = |template: &callboard_kind_service::template::Template| {
        let filled = template.fill(input, |text, filled| filled.push_str(text));
        let filled = filled.map_err(|missing| format!("{:?} of the input {}", missing.field, missing.detail))?;
        if filled.contains('\0') {
            return Err("the input holds NUL, which no argument may have".to_owned());
        }
        Ok(filled)
    };
    config.args.iter().map(|argument| fill(&argument.0)).collect()
}

fn environment(
    config: &ShellConfig,
    secrets: BTreeMap<String, Secret>,
    job: JobId,
    folder: &Path,
) -> BTreeMap<String, String> {
    let folder = folder.to_string_lossy().into_owned();
    let usual = [
        ("PATH", PATH.to_owned()),
        ("LANG", LANG.to_owned()),
        ("HOME", folder.clone()),
        ("TMPDIR", folder),
        ("CALLBOARD_JOB_ID", job.to_string()),
    ];
    let usual = usual.map(|(name, value)| (name.to_owned(), value));
    let own = config.environment.iter().filter_map(|(name, variable)| match variable {
        Variable::Text(text) => Some((name.clone(), text.clone())),
        Variable::Secret { .. } => None,
    });
    let secrets = secrets
        .into_iter()
        .map(|(name, secret)| (name, secret.expose().to_owned()));
    usual.into_iter().chain(own).chain(secrets).collect()
}

fn check_size(arguments: &[String], environment: &BTreeMap<String, String>) -> Result<(), String> {
    let variables = environment.iter().map(|(name, value)| name.len() + value.len() + 1);
    let sizes: Vec<usize> = arguments.iter().map(String::len).chain(variables).collect();
    if sizes.iter().any(|size| *size > MAX_ARGUMENT_BYTES) {
        return Err(format!("an argument is longer than {MAX_ARGUMENT_BYTES} bytes"));
    }
    if sizes.iter().sum::<usize>() > MAX_TOGETHER_BYTES {
        return Err(format!(
            "the arguments are longer than {MAX_TOGETHER_BYTES} bytes together"
        ));
    }
    Ok(())
}

fn limits(limits: ResourceLimits) -> Limits {
    let bytes = |mebibytes: u64| mebibytes << 20;
    Limits {
        cpu_seconds: limits.cpu_seconds,
        memory_bytes: limits.memory_mb.map(bytes),
        disk_bytes: limits.disk_mb.map(bytes),
        processes: limits.processes,
    }
}

fn means(isolation: Isolation) -> Means {
    match isolation {
        Isolation::Landlock => Means::Landlock,
        Isolation::Namespaces => Means::Namespaces,
        Isolation::Cgroup => Means::Cgroup,
    }
}
