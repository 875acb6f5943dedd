//! Calls of registered services, by the real program: the registry, requests, records, lists, statistics, breakers and fallbacks.

mod calls;
mod command;
mod registry;
mod resilience;
mod statistics;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use callboard_tests::Service;
use tempfile::TempDir;

/// A service with a registry of its own.
struct World {
    service: Service,
    registry: PathBuf,
    _folder: TempDir,
}

impl World {
    /// Starts a service with this registry.
    fn start(registry: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = write(folder.path(), registry)?;
        let path = file.display().to_string();
        let service = Service::start_in(&folder.path().join("data"), &["--services", &path])?;
        Ok(Self {
            service,
            registry: file,
            _folder: folder,
        })
    }
}

/// Waits until something holds, for as long as only a hang would take.
async fn eventually<F: Future<Output = anyhow::Result<bool>>>(what: &str, holds: impl Fn() -> F) -> anyhow::Result<()> {
    for _ in 0..1200 {
        if holds().await? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("it never comes true that {what}")
}

/// Writes a registry, in one step, so that nobody reads a part of it.
fn write(folder: &Path, registry: &str) -> anyhow::Result<PathBuf> {
    let (file, new) = (folder.join("services.yml"), folder.join("services.new"));
    std::fs::write(&new, registry)?;
    std::fs::rename(new, &file)?;
    Ok(file)
}

/// A registry with a service at an address, which is called `POST /say` and may be called again.
fn echo(address: &str) -> String {
    format!(
        "services:
  - name: echo
    type: test
    category: tests
    security_policy: {{network: private}}
    runner_config: {{base_url: 'http://{address}'}}
    operations:
      - name: say
        input_schema: {{type: object, required: [text], properties: {{text: {{type: string}}}}, additionalProperties: false}}
        output_schema: {{type: object}}
        idempotent: true
        max_retries: 2
        retry: {{initial_interval: 0}}
        runner_config: {{path: /say}}
"
    )
}
