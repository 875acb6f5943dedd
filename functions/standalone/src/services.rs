//! The registry of services: its files, and the commands about it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use callboard_kind_service::in_force::InForce;
use callboard_kind_service::registry::{Registry, RegistryFault};

use crate::cli::ServicesVerb;
use crate::terminal::tell;

/// The largest file of a registry.
const MAX_BYTES: u64 = 4 << 20;
/// The example that `callboard services init` writes.
const EXAMPLE: &str = include_str!("../../../examples/services/services.yml");

/// Carries out a command about the registry.
pub(crate) fn services(verb: &ServicesVerb) -> anyhow::Result<ExitCode> {
    match verb {
        ServicesVerb::Check { path } => check(path),
        ServicesVerb::Init { path } => init(path),
    }
}

/// Prints every fault of a registry, or what it has.
fn check(path: &Path) -> anyhow::Result<ExitCode> {
    match Registry::parse(&files(path)?) {
        Ok(registry) => {
            let operations = registry.services.iter().map(|service| service.operations.len());
            let (services, operations) = (registry.services.len(), operations.sum::<usize>());
            println!(
                "{}: {}, {}, revision {}",
                path.display(),
                count(services, "service"),
                count(operations, "operation"),
                registry.revision
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(faults) => {
            tell(&told(&faults));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Writes a commented example.
fn init(path: &Path) -> anyhow::Result<ExitCode> {
    let mut file =
        fs::File::create_new(path).with_context(|| format!("{} cannot be made; name another file", path.display()))?;
    std::io::Write::write_all(&mut file, EXAMPLE.as_bytes())?;
    println!(
        "{} is an example: change it, check it with `callboard services check {0}`, use it with `callboard serve --services {0}`",
        path.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// A registry that is read from files, and read again whenever they change.
pub(crate) struct Source {
    path: Option<PathBuf>,
    files: Vec<(String, String)>,
    in_force: Arc<InForce>,
}

impl Source {
    /// Reads a registry. Without a path, there are no services.
    pub(crate) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let files = path.map(files).transpose()?.unwrap_or_default();
        let registry = match Registry::parse(&files) {
            Ok(registry) => registry,
            Err(faults) => bail!("the services are not valid\n{}", told(&faults)),
        };
        Ok(Self {
            path: path.map(Path::to_owned),
            files,
            in_force: Arc::new(InForce::new(registry)),
        })
    }

    /// Returns the registry in force.
    pub(crate) fn in_force(&self) -> Arc<InForce> {
        self.in_force.clone()
    }

    /// Reads the files again, if they have changed. Where they are not valid, the registry in force stays.
    pub(crate) fn refresh(&mut self) {
        let Some(path) = &self.path else { return };
        let found = match files(path) {
            Ok(found) if found == self.files => return,
            Ok(found) => found,
            Err(error) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "the services cannot be read; those in force stay"
                );
                return;
            }
        };
        match self.in_force.replace(&found) {
            Ok(_) => tracing::info!(
                services.revision = self.in_force.current().revision,
                "the services have changed"
            ),
            Err(faults) => tracing::error!(
                faults = told(&faults),
                "the services are not valid; those in force stay"
            ),
        }
        self.files = found;
    }
}

/// Reads the file, or the files of the folder whose names end in `.yml` or `.yaml`, by name.
fn files(path: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let unreadable = |path: &Path| {
        format!(
            "the services {} cannot be read; name others with --services",
            path.display()
        )
    };
    let read = |path: &Path| {
        let found = fs::metadata(path).with_context(|| unreadable(path))?;
        ensure!(found.is_file(), "{} is no file", path.display());
        ensure!(
            found.len() <= MAX_BYTES,
            "{} is larger than {MAX_BYTES} bytes, which no registry is",
            path.display()
        );
        let text = fs::read_to_string(path).with_context(|| unreadable(path))?;
        anyhow::Ok((path.display().to_string(), text))
    };
    if !fs::metadata(path).with_context(|| unreadable(path))?.is_dir() {
        return Ok(vec![read(path)?]);
    }
    let entries = fs::read_dir(path).with_context(|| unreadable(path))?;
    let paths = entries.map(|entry| Ok(entry?.path()));
    let mut paths = paths.collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "yml" || end == "yaml"));
    paths.sort();
    ensure!(
        !paths.is_empty(),
        "the folder {} has no file that ends in .yml or .yaml",
        path.display()
    );
    paths.iter().map(|path| read(path)).collect()
}

fn told(faults: &[RegistryFault]) -> String {
    faults
        .iter()
        .map(RegistryFault::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
