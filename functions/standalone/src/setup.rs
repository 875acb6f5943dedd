//! Preparations for the first use: builds the Ansible environment, showing the progress, and finds the folders.

use std::fs::DirBuilder;
use std::io::IsTerminal;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use callboard_ansible::environment::{self, Environment, EnvironmentSettings, Progress};
use callboard_policy::Policies;
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{Common, DataFolder};
use crate::terminal::tell;

/// Prepares the environment; the first time takes a minute, and its progress is shown.
pub(crate) async fn environment(common: &Common) -> anyhow::Result<Environment> {
    let settings = environment_settings(common)?;
    let spinner = Spinner::new();
    let environment = environment::ensure(&settings, &|progress| spinner.show(progress)).await;
    spinner.0.finish_and_clear();
    Ok(environment?)
}

/// Returns what the environment is built from, and where.
pub(crate) fn environment_settings(common: &Common) -> anyhow::Result<EnvironmentSettings> {
    Ok(EnvironmentSettings {
        cache: cache(common)?,
        python: common.python.clone(),
        more: packages(common)?,
    })
}

/// Reads which packages the environment should have besides Ansible's own.
fn packages(common: &Common) -> anyhow::Result<String> {
    let Some(path) = &common.requirements else {
        return Ok(String::new());
    };
    std::fs::read_to_string(path).with_context(|| {
        format!(
            "the requirements {} cannot be read; name others with --requirements",
            path.display()
        )
    })
}

/// Returns the folder for data that can be rebuilt or fetched again.
pub(crate) fn cache(common: &Common) -> anyhow::Result<PathBuf> {
    match &common.cache {
        Some(cache) => Ok(cache.clone()),
        None => of_user("XDG_CACHE_HOME", ".cache").context("name a cache folder with --cache"),
    }
}

/// Returns the data folder, which must exist.
pub(crate) fn data_there(folder: &DataFolder) -> anyhow::Result<PathBuf> {
    let data = data_path(folder)?;
    data.canonicalize().with_context(|| {
        format!(
            "there is no data folder {}; name another with --data, or run a job first",
            data.display()
        )
    })
}

/// Returns the data folder, and creates it for this user only if it does not exist.
pub(crate) fn data(folder: &DataFolder) -> anyhow::Result<PathBuf> {
    let data = data_path(folder)?;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&data);
    made.with_context(|| {
        format!(
            "the data folder {} cannot be made; name another with --data",
            data.display()
        )
    })?;
    data.canonicalize()
        .with_context(|| format!("the data folder {} cannot be used", data.display()))
}

/// Returns the path of the data folder, whether it exists or not.
pub(crate) fn data_path(folder: &DataFolder) -> anyhow::Result<PathBuf> {
    match &folder.path {
        Some(data) => Ok(data.clone()),
        None => of_user("XDG_DATA_HOME", ".local/share").context("name a data folder with --data"),
    }
}

/// Reads the policy, which limits what requests may reach.
pub(crate) fn policies(file: Option<&Path>) -> anyhow::Result<Policies> {
    let Some(path) = file else {
        let text = std::env::var("CALLBOARD_POLICY").unwrap_or_default();
        return callboard_policy::parse(&text).context("the variable CALLBOARD_POLICY is not a valid policy");
    };
    let text = std::fs::read_to_string(path).with_context(|| {
        format!(
            "the policy {} cannot be read; name another with --policy",
            path.display()
        )
    })?;
    callboard_policy::parse(&text).with_context(|| format!("the policy {} is not valid", path.display()))
}

fn of_user(variable: &str, below_home: &str) -> anyhow::Result<PathBuf> {
    let base = match std::env::var_os(variable).filter(|value| !value.is_empty()) {
        Some(base) => PathBuf::from(base),
        None => std::env::home_dir()
            .context("this user has no home folder")?
            .join(below_home),
    };
    Ok(base.join("callboard"))
}

struct Spinner(ProgressBar);

impl Spinner {
    fn new() -> Self {
        let spinner = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
            spinner.set_style(style);
        }
        Self(spinner)
    }

    fn show(&self, progress: Progress<'_>) {
        match progress {
            Progress::Waiting => self.say("Another process is making the Ansible environment; waiting for it."),
            Progress::Creating { python } => self.say(&format!(
                "Making the Ansible environment, once, with Python {}.{} ({}).",
                python.version.0,
                python.version.1,
                python.path.display()
            )),
            Progress::Installing { line } => self.detail(line),
            Progress::Ready => self.say("The Ansible environment is ready."),
        }
    }

    fn say(&self, message: &str) {
        self.0.suspend(|| tell(message));
        self.0.enable_steady_tick(Duration::from_millis(100));
    }

    /// pip's output is meant for a terminal, where each line replaces the previous one.
    fn detail(&self, line: &str) {
        if std::io::stderr().is_terminal() {
            self.0.set_message(line.to_owned());
        } else if line.starts_with("Collecting") || line.starts_with("Successfully") {
            tell(&format!("  {line}"));
        }
    }
}
