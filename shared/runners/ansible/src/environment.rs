//! The Ansible environment: a virtual environment with exact versions, made once for each set of pins.

mod error;
mod look;
mod make;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::sleep;

pub use self::error::EnvironmentError;
pub use self::look::Look;
use self::make::{Maker, interpreter, is_complete};
use crate::digest::digest;
use crate::host_files;
use crate::python::Python;

const LOCK_PAUSE: Duration = Duration::from_millis(100);
const PINS: &str = include_str!("../requirements.txt");

/// Where the environment is kept, and the Python it is made with.
#[derive(Clone, Debug)]
pub struct EnvironmentSettings {
    /// The folder that holds every environment, such as `~/.cache/callboard`.
    pub cache: PathBuf,
    /// The Python to make it with; if none is given, [`find`](crate::python::find) looks for one.
    pub python: Option<PathBuf>,
    /// More packages for the environment, in the format of pip's requirements files: modules that playbooks import where they run.
    pub more: String,
}

/// An environment that is ready to run Ansible.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Environment {
    /// The environment's own interpreter.
    pub python: PathBuf,
    /// The folder that holds the `callboard_host` package.
    pub host: PathBuf,
}

impl Environment {
    /// Returns the folder of Ansible's programs, such as `ansible-playbook`.
    #[must_use]
    pub fn programs(&self) -> &Path {
        self.python.parent().unwrap_or(Path::new("/usr/bin"))
    }
}

/// What [`ensure`] is doing. If the environment is already complete, nothing is reported.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// Another process is making the environment.
    Waiting,
    /// The virtual environment is being created.
    Creating {
        /// The Python it is made with.
        python: &'a Python,
    },
    /// pip has printed a line.
    Installing {
        /// The line, without its end.
        line: &'a str,
    },
    /// The environment is complete.
    Ready,
}

type Report<'a> = &'a (dyn Fn(Progress<'_>) + Send + Sync);

/// What is installed and how it is checked; tests use a smaller recipe.
struct Recipe {
    requirements: String,
    modules: &'static str,
}

/// Returns the environment; makes it first if it is absent, incomplete, or has lost its Python.
///
/// Several processes may call this at once: one of them makes the environment. Dropping the future stops the work.
///
/// # Errors
/// There is no suitable Python, the cache cannot be written, or the virtual environment, pip or the check failed.
pub async fn ensure(
    settings: &EnvironmentSettings,
    progress: &(dyn Fn(Progress<'_>) + Send + Sync),
) -> Result<Environment, EnvironmentError> {
    ensure_with(&Recipe::of(settings), settings, progress).await
}

/// Looks at the environment without making it.
///
/// # Errors
/// The environment does not exist and there is no suitable Python to make it with, or the cache's path is not valid.
pub async fn look(settings: &EnvironmentSettings) -> Result<Look, EnvironmentError> {
    let folder = cache(settings)?.join(name(&Recipe::of(settings), settings));
    look::at(folder, settings.python.as_deref()).await
}

impl Recipe {
    fn of(settings: &EnvironmentSettings) -> Self {
        Self {
            requirements: if settings.more.is_empty() {
                PINS.to_owned()
            } else {
                format!("{PINS}\n{}\n", settings.more)
            },
            modules: "ansible, ansible_runner",
        }
    }
}

/// Returns the folder that holds the environments.
fn cache(settings: &EnvironmentSettings) -> Result<PathBuf, EnvironmentError> {
    std::path::absolute(&settings.cache).map_err(|error| unusable(settings, error))
}

fn unusable(settings: &EnvironmentSettings, source: io::Error) -> EnvironmentError {
    EnvironmentError::Cache {
        folder: settings.cache.clone(),
        source,
    }
}

async fn ensure_with(
    recipe: &Recipe,
    settings: &EnvironmentSettings,
    progress: Report<'_>,
) -> Result<Environment, EnvironmentError> {
    let unwritable = |error| unusable(settings, error);
    let cache = cache(settings)?;
    let folder = cache.join(name(recipe, settings));
    if !is_complete(&folder) {
        fs::create_dir_all(&cache).map_err(unwritable)?;
        let file = folder.with_extension("lock");
        let lock = &lock(&file, progress).await.map_err(unwritable)?;
        if !is_complete(&folder) {
            let folder = &folder;
            let maker = Maker {
                recipe,
                folder,
                lock,
                progress,
            };
            maker.make(settings.python.as_deref()).await?;
        }
        progress(Progress::Ready);
    }
    let host = host_files::ensure(&cache).map_err(unwritable)?;
    let python = interpreter(&folder);
    Ok(Environment { python, host })
}

fn name(recipe: &Recipe, settings: &EnvironmentSettings) -> String {
    let python = settings.python.as_deref().unwrap_or(Path::new("")).as_os_str();
    format!(
        "ansible-{}",
        digest([recipe.requirements.as_bytes(), python.as_encoded_bytes()])
    )
}

/// Takes the lock. It polls, because a thread that waits for the lock could not be stopped.
async fn lock(path: &Path, progress: Report<'_>) -> io::Result<File> {
    let file = File::options().create(true).append(true).open(path)?;
    let mut waiting = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if waiting => {}
            Err(TryLockError::WouldBlock) => progress(Progress::Waiting),
        }
        waiting = true;
        sleep(LOCK_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::sync::Mutex;

    use super::*;

    type Tested = Result<(), Box<dyn Error>>;

    fn small(version: &str) -> Recipe {
        Recipe {
            requirements: format!("lockfile=={version}\n"),
            modules: "lockfile",
        }
    }

    /// What was reported: one word for each report.
    #[derive(Default)]
    struct Reports(Mutex<Vec<String>>);

    impl Reports {
        fn add(&self, progress: Progress<'_>) {
            let text = match progress {
                Progress::Waiting => "waiting".to_owned(),
                Progress::Creating { python } => format!("creating with {}.{}", python.version.0, python.version.1),
                Progress::Installing { line } => format!("pip: {line}"),
                Progress::Ready => "ready".to_owned(),
            };
            if let Ok(mut reports) = self.0.lock() {
                reports.push(text);
            }
        }

        fn count(&self, start: &str) -> usize {
            let reports = self.0.lock();
            reports.map_or(0, |reports| {
                reports.iter().filter(|text| text.starts_with(start)).count()
            })
        }
    }

    fn settings(cache: &Path) -> EnvironmentSettings {
        EnvironmentSettings {
            cache: cache.to_owned(),
            python: None,
            more: String::new(),
        }
    }

    fn silent(_: Progress<'_>) {}

    /// Has another program write a script: a file that this process had open for writing could not be run while another test forks.
    fn write_script(path: &Path, body: &str) -> Tested {
        let text = path.with_extension("text");
        fs::write(&text, format!("#!/bin/sh\n{body}\n"))?;
        let install = std::process::Command::new("install")
            .args(["-m", "755"])
            .args([&text, path])
            .status()?;
        assert!(install.success());
        Ok(())
    }

    #[tokio::test]
    async fn two_that_start_at_once_make_one_environment_and_later_ones_take_it_at_once() -> Tested {
        let cache = tempfile::tempdir()?;
        let settings = settings(&cache.path().join("new"));
        let reports = [Reports::default(), Reports::default()];
        let each = [0, 1].map(|at| {
            let reports = &reports;
            move |progress: Progress<'_>| reports[at].add(progress)
        });
        let (first, second) = tokio::join!(ensure(&settings, &each[0]), ensure(&settings, &each[1]));
        let first = first?;
        assert_eq!(first, second?);
        let count = |start| reports.each_ref().map(|reports| reports.count(start));
        assert_eq!(
            (count("waiting"), count("creating"), count("ready")),
            ([0, 1], [1, 0], [1, 1])
        );
        assert_eq!(count("pip: Successfully installed"), [1, 0]);
        assert!(first.host.join("callboard_host/__main__.py").is_file());

        assert_eq!(ensure(&settings, &each[0]).await?, first);
        assert_eq!(
            (count("waiting"), count("creating"), count("ready")),
            ([0, 1], [1, 0], [1, 1])
        );
        Ok(())
    }

    #[tokio::test]
    async fn a_complete_environment_is_taken_without_a_python_and_a_broken_one_is_made_anew() -> Tested {
        let cache = tempfile::tempdir()?;
        let python = cache.path().join("python");
        write_script(
            &python,
            &format!("exec '{}' \"$@\"", crate::python::find(None).await?.path.display()),
        )?;
        let mut settings = settings(cache.path());
        settings.python = Some(python.clone());
        let recipe = small("0.12.2");
        let folder = cache.path().join(name(&recipe, &settings));
        let left = folder.join("lib/left");
        fs::create_dir_all(&left)?;

        let environment = ensure_with(&recipe, &settings, &silent).await?;
        assert!(!left.exists(), "what was half made is removed");
        fs::remove_file(&python)?;
        assert_eq!(ensure_with(&recipe, &settings, &silent).await?, environment);

        fs::write(folder.join("complete"), "/usr/bin/python3.1")?;
        let error = ensure_with(&recipe, &settings, &silent).await.err();
        assert!(matches!(error, Some(EnvironmentError::NoPython(_))), "{error:?}");
        Ok(())
    }

    #[tokio::test]
    async fn what_pip_cannot_install_is_told_in_its_words_and_leaves_no_marker() -> Tested {
        let cache = tempfile::tempdir()?;
        let recipe = small("99.99.99");
        let settings = settings(cache.path());
        let error = ensure_with(&recipe, &settings, &silent).await.err();
        let text = error.map(|error| error.to_string()).unwrap_or_default();
        let folder = cache.path().join(name(&recipe, &settings));
        let command = format!(
            "{0}/bin/python -m pip install -r {0}/requirements.txt",
            folder.display()
        );
        for part in [
            "No matching distribution found for lockfile==99.99.99",
            "PIP_INDEX_URL",
            &command,
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!folder.join("complete").exists());
        Ok(())
    }

    #[tokio::test]
    async fn a_cache_that_cannot_be_written_is_named_with_the_setting_that_moves_it() -> Tested {
        let file = tempfile::NamedTempFile::new()?;
        let cache = file.path().join("cache");
        let error = ensure(&settings(&cache), &silent).await.err();
        let text = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(
            text.contains(&format!("the cache folder {} cannot be written", cache.display())),
            "{text}"
        );
        assert!(text.contains("--cache or CALLBOARD_CACHE"), "{text}");
        Ok(())
    }
}
