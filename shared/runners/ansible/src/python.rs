//! Finds the Python that the Ansible environment is made with.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;
use std::{env, fmt, fs, io};

use tokio::process::Command;
use tokio::time::timeout;

const NAMES: [&str; 3] = ["python3.13", "python3.12", "python3"];
const SUPPORTED: RangeInclusive<(u8, u8)> = (3, 11)..=(3, 14);
/// What the newest pinned ansible-core needs; an older Python gets an older Ansible.
const PREFERRED: (u8, u8) = (3, 12);
const PROBE: &str = "import ensurepip, ssl, sys, venv, zlib; print(*sys.version_info[:2], sys.executable)";
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// A Python that runs and can make virtual environments.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Python {
    /// The interpreter's own path, even if a shim started it.
    pub path: PathBuf,
    /// The major and the minor version.
    pub version: (u8, u8),
}

/// No candidate is suitable; the text says what was tried, why it was rejected, and what to do.
#[derive(Debug, thiserror::Error)]
pub struct NoPython {
    /// The candidates in the order they were tried, each with the reason it was rejected.
    pub tried: Vec<(PathBuf, String)>,
    /// Whether a setting named the only candidate.
    pub named: bool,
}

/// Finds a Python from 3.11 to 3.14: only the named one if one is named; otherwise the first of 3.12 or later on `PATH`
/// and below pyenv's folder, or else the first 3.11.
///
/// # Errors
/// No candidate runs, has the modules that a virtual environment needs, and has a supported version.
pub async fn find(named: Option<&Path>) -> Result<Python, NoPython> {
    let candidates = match named {
        Some(path) => vec![path.to_owned()],
        None => candidates(),
    };
    let found = find_among(&candidates, PROBE_LIMIT).await;
    found.map_err(|tried| NoPython {
        tried,
        named: named.is_some(),
    })
}

fn candidates() -> Vec<PathBuf> {
    let home = || env::home_dir().map(|home| home.join(".pyenv"));
    let pyenv = env::var_os("PYENV_ROOT").map(PathBuf::from).or_else(home);
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    let mut found: Vec<PathBuf> = NAMES.iter().flat_map(|name| on_path(name, &folders)).collect();
    found.extend(pyenv.iter().flat_map(|root| in_pyenv(&root.join("versions"))));
    found
}

/// Returns every program of this name, because the first may be a shim that does not run; returns the bare name if there is none.
fn on_path(name: &str, folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    let files = folders.iter().map(|folder| folder.join(name));
    let found: Vec<PathBuf> = files
        .filter(|file| file.is_absolute() && fs::canonicalize(file).is_ok_and(|target| seen.insert(target)))
        .collect();
    if found.is_empty() { vec![name.into()] } else { found }
}

/// Returns the versions that pyenv holds, newest first, but 3.14 last because packages support it last.
fn in_pyenv(versions: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(versions).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| Some((release(entry.file_name().to_str()?)?, entry.path())))
        .filter(|((major, minor, _), _)| SUPPORTED.contains(&(*major, *minor)))
        .collect();
    found.sort_by_key(|(release, _)| (release.1 < 14, *release));
    found
        .into_iter()
        .rev()
        .map(|(_, path)| path.join("bin/python"))
        .collect()
}

fn release(name: &str) -> Option<(u8, u8, u8)> {
    let mut parts = name.split('.').map(str::parse);
    let mut part = || parts.next()?.ok();
    let release = (part()?, part()?, part()?);
    parts.next().is_none().then_some(release)
}

async fn find_among(candidates: &[PathBuf], limit: Duration) -> Result<Python, Vec<(PathBuf, String)>> {
    let (mut tried, mut old) = (Vec::new(), None);
    for candidate in candidates {
        match probe(candidate, limit).await {
            Ok(python) if python.version >= PREFERRED => return Ok(python),
            Ok(python) => old = old.or(Some(python)),
            Err(reason) => tried.push((candidate.clone(), reason)),
        }
    }
    old.ok_or(tried)
}

/// Runs a line of Python and returns its output; the error says why there is no answer. Python writes no bytecode.
pub(crate) async fn ask(interpreter: &Path, code: &str, limit: Duration) -> Result<Output, String> {
    let mut command = Command::new(interpreter);
    // Isolated, because a venv.py in the working folder or on PYTHONPATH would be imported in the library's place.
    command
        .args(["-I", "-B", "-c", code])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    match timeout(limit, command.output()).await {
        Err(_) => Err(format!("it did not answer within {} s", limit.as_secs())),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Err("not found".to_owned()),
        Ok(output) => output.map_err(|error| format!("it cannot be started: {error}")),
    }
}

async fn probe(candidate: &Path, limit: Duration) -> Result<Python, String> {
    let output = ask(candidate, PROBE, limit).await?;
    let python = answer(&output).ok_or_else(|| complaint(&output))?;
    let (major, minor) = python.version;
    match SUPPORTED.contains(&python.version) {
        true => Ok(python),
        false => Err(format!("it is Python {major}.{minor}; 3.11 to 3.14 are supported")),
    }
}

fn answer(output: &Output) -> Option<Python> {
    let text = str::from_utf8(&output.stdout).ok()?.trim_end();
    let mut parts = text.splitn(3, ' ');
    let version = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let path = parts.next().filter(|path| !path.is_empty())?.into();
    output.status.success().then_some(Python { path, version })
}

/// Returns the line that says what is wrong: the last line of a traceback, or the first line of anything else.
fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    match (lines.next(), lines.next_back()) {
        (Some(first), Some(last)) if first.starts_with("Traceback") => last.to_owned(),
        (Some(first), _) => first.to_owned(),
        (None, _) => format!("it gave no answer ({})", output.status),
    }
}

impl fmt::Display for NoPython {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.named {
            true => writeln!(
                out,
                "the Python that --python or CALLBOARD_PYTHON names cannot be used:"
            )?,
            false => writeln!(out, "no Python from 3.11 to 3.14 was found that works; tried:")?,
        }
        for (path, reason) in &self.tried {
            writeln!(out, "  {}: {reason}", path.display())?;
        }
        let install = "Install Python 3.12 or 3.13 with its venv module";
        write!(
            out,
            "{install} (on Debian and Ubuntu: apt install python3 python3-venv), "
        )?;
        write!(out, "or name one that has it with --python or CALLBOARD_PYTHON.")
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    const SHIM: &str = "echo 'pyenv: python3.13: command not found' >&2; echo 'Note: see help' >&2; exit 127";
    const BARE: &str = "printf 'Traceback:\\n  File x\\nNo module named ensurepip\\n' >&2; exit 1";

    /// Has another program write the script: a file that this process had open could not be run while a test forks.
    fn script(folder: &Path, name: &str, body: &str) -> Result<PathBuf, Box<dyn Error>> {
        let (text, path) = (folder.join("text"), folder.join(name));
        fs::write(&text, format!("#!/bin/sh\n{body}\n"))?;
        let install = std::process::Command::new("install")
            .args(["-m", "755"])
            .args([&text, &path])
            .status()?;
        assert!(install.success());
        Ok(path)
    }

    #[tokio::test]
    async fn the_first_that_works_is_taken_and_a_3_11_only_where_nothing_newer_works() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let script = |name, body| script(folder.path(), name, body);
        let (shim, old) = (script("shim", SHIM)?, script("old", "echo 3 9 /old")?);
        let (fallback, works) = (
            script("fallback", "echo 3 11 /real/3.11")?,
            script("works", "echo 3 13 /a b")?,
        );
        let later = script("later", "echo 3 12 /later")?;

        let all = [shim.clone(), old.clone(), fallback.clone(), works, later];
        let found = find_among(&all, PROBE_LIMIT).await;
        let (path, version) = (PathBuf::from("/a b"), (3, 13));
        assert_eq!(found, Ok(Python { path, version }));

        let found = find_among(&[shim, fallback, old], PROBE_LIMIT).await;
        assert_eq!(found.map(|python| python.version), Ok((3, 11)));
        Ok(())
    }

    #[tokio::test]
    async fn every_candidate_that_was_not_taken_has_its_reason() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let script = |name, body| script(folder.path(), name, body);
        let candidates = [
            (script("shim", SHIM)?, "pyenv: python3.13: command not found"),
            (script("bare", BARE)?, "No module named ensurepip"),
            (
                script("old", "echo 3 9 /old")?,
                "it is Python 3.9; 3.11 to 3.14 are supported",
            ),
            (
                script("new", "echo 3 15 /new")?,
                "it is Python 3.15; 3.11 to 3.14 are supported",
            ),
            (script("mute", "exit 0")?, "it gave no answer (exit status: 0)"),
            (script("slow", "exec sleep 60")?, "it did not answer within 2 s"),
            (folder.path().join("absent"), "not found"),
        ];
        let paths: Vec<PathBuf> = candidates.iter().map(|(path, _)| path.clone()).collect();
        let expected = candidates.map(|(path, reason)| (path, reason.to_owned())).to_vec();
        assert_eq!(find_among(&paths, Duration::from_secs(2)).await, Err(expected));
        Ok(())
    }

    #[tokio::test]
    async fn a_python_that_was_named_is_the_only_one_tried() {
        let error = find(Some(Path::new("/nowhere/python"))).await.err();
        let text = error.map(|error| error.to_string()).unwrap_or_default();
        let start =
            "the Python that --python or CALLBOARD_PYTHON names cannot be used:\n  /nowhere/python: not found\n";
        assert!(text.starts_with(start), "{text}");
        assert!(text.contains("apt install python3 python3-venv"), "{text}");
    }

    #[test]
    fn pyenv_gives_its_newest_first_and_3_14_last() -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        for name in [
            "3.9.18", "3.12.10", "3.12.9", "3.15.0", "3.14.1", "3.13.0", "3.13-dev", "3.11.7",
        ] {
            fs::create_dir(folder.path().join(name))?;
        }
        let ordered = ["3.13.0", "3.12.10", "3.12.9", "3.11.7", "3.14.1"];
        assert_eq!(
            in_pyenv(folder.path()),
            ordered.map(|name| folder.path().join(name).join("bin/python"))
        );
        Ok(())
    }

    #[test]
    fn a_name_is_looked_up_in_every_folder_of_the_path_but_each_program_once() -> Result<(), Box<dyn Error>> {
        let root = tempfile::tempdir()?;
        let [shims, system, alias] = ["shims", "system", "alias"].map(|name| root.path().join(name));
        for folder in [&shims, &system] {
            fs::create_dir(folder)?;
            fs::write(folder.join("python3"), "")?;
        }
        std::os::unix::fs::symlink(&system, &alias)?;
        let found = on_path("python3", &[shims.clone(), system.clone(), alias]);
        assert_eq!(found, [shims.join("python3"), system.join("python3")]);
        assert_eq!(on_path("python3.12", &[shims, system]), [PathBuf::from("python3.12")]);
        Ok(())
    }
}
