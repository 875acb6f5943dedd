//! Programs that are not what the registry means.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use anyhow::ensure;
use callboard_core::base::hex::hex;
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::world::{Run, Service, program};

/// A user that is neither root nor the one of the tests.
const OTHER: u32 = 4321;

/// A folder with programs, each of which leaves a mark if it runs.
struct Programs {
    folder: TempDir,
}

impl Programs {
    fn make() -> anyhow::Result<Self> {
        let programs = Self {
            folder: tempfile::tempdir()?,
        };
        fs::create_dir(programs.at("bin"))?;
        fs::set_permissions(programs.at("bin"), Permissions::from_mode(0o755))?;
        Ok(programs)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn script(&self, name: &str, interpreter: &str) -> anyhow::Result<PathBuf> {
        let path = self.at(name);
        fs::write(
            &path,
            format!(
                "#!{interpreter}\necho ran $0 $- \"$@\"; : > {}\n",
                self.at("mark").display()
            ),
        )?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        Ok(path)
    }

    /// Runs a program; returns the run, and whether it has left its mark.
    async fn run(&self, path: &Path, change: impl FnOnce(Service) -> Service) -> anyhow::Result<(Run, bool)> {
        let path = path.to_string_lossy();
        let allowed = json!([path, "/bin/sh"]);
        // that the mark can be made is shown by the programs that do run
        let service = program(&path, &[]).policy("allowed_commands", allowed);
        let run = change(service.policy("write_paths", json!([self.folder.path()])))
            .run()
            .await?;
        let mark = self.at("mark");
        let ran = mark.exists();
        if ran {
            fs::remove_file(mark)?;
        }
        Ok((run, ran))
    }

    async fn refused(&self, path: &Path, why: &str) -> anyhow::Result<()> {
        let (run, ran) = self.run(path, |service| service).await?;
        ensure!(
            !ran && run.reason() == "source_unavailable" && run.error().contains(why),
            "{why}: {run:?}"
        );
        Ok(())
    }
}

#[tokio::test]
async fn a_program_that_others_can_have_put_there_is_not_run() -> anyhow::Result<()> {
    let programs = Programs::make()?;
    let good = programs.script("bin/good", "/bin/sh")?;
    let (run, ran) = programs.run(&good, |service| service).await?;
    ensure!(ran && run.is_successful(), "{run:?}");
    // a link of the administrator's is as good as the file
    let own = programs.at("bin/own");
    symlink("good", &own)?;
    ensure!(programs.run(&own, |service| service).await?.1);
    // a name in a folder of everybody's, that leads to a good program
    let shared = programs.at("shared");
    fs::create_dir(&shared)?;
    fs::set_permissions(&shared, Permissions::from_mode(0o1777))?;
    let link = shared.join("link");
    symlink(&good, &link)?;
    lchown(&link, Some(OTHER), Some(OTHER))?;
    programs.refused(&link, "belongs to user 4321").await?;
    let foreign = programs.script("shared/foreign", "/bin/sh")?;
    chown(&foreign, Some(OTHER), None)?;
    programs.refused(&foreign, "belongs to user 4321").await?;
    // another name of somebody's file, at a place where only the administrator can have put it
    let hard = programs.at("bin/hard");
    fs::hard_link(&foreign, &hard)?;
    programs.refused(&hard, "belongs to user 4321").await?;
    let open = programs.script("bin/open", "/bin/sh")?;
    fs::set_permissions(&open, Permissions::from_mode(0o775))?;
    programs.refused(&open, "others than its owner may change").await?;
    fs::set_permissions(&shared, Permissions::from_mode(0o777))?;
    let within = programs.script("shared/within", "/bin/sh")?;
    programs.refused(&within, "everybody may change").await?;
    programs.refused(&programs.at("bin"), "no regular file").await?;
    programs.refused(&programs.at("bin/nothing"), "No such file").await?;
    let locked = programs.script("bin/locked", "/bin/sh")?;
    fs::set_permissions(&locked, Permissions::from_mode(0o600))?;
    let copied = programs.at("bin/true");
    fs::copy("/bin/true", &copied)?;
    fs::set_permissions(&copied, Permissions::from_mode(0o644))?;
    programs.refused(&copied, "Permission denied").await?;
    Ok(())
}

#[tokio::test]
async fn a_program_is_the_one_with_the_digest_of_the_registry() -> anyhow::Result<()> {
    let programs = Programs::make()?;
    let path = programs.script("bin/job", "/bin/sh")?;
    let digest = |path: &Path| anyhow::Ok(hex(&Sha256::digest(fs::read(path)?)));
    let good = digest(&path)?;
    let (run, ran) = programs
        .run(&path, |service| service.config("sha256", good.as_str()))
        .await?;
    ensure!(
        ran && run.output().starts_with("ran /dev/fd/"),
        "the interpreter did not read what was checked: {run:?}"
    );
    let binary = digest(Path::new("/bin/true"))?;
    let run = program("/bin/true", &[])
        .config("sha256", binary.to_uppercase())
        .run()
        .await?;
    ensure!(run.is_successful(), "{run:?}");
    // replaced, by a file with another content, or by another name of another program
    let other = programs.script("bin/other", "/bin/sh")?;
    fs::write(&other, fs::read_to_string(&other)? + "# changed\n")?;
    fs::remove_file(&path)?;
    fs::hard_link(&other, &path)?;
    let (run, ran) = programs
        .run(&path, |service| service.config("sha256", good.as_str()))
        .await?;
    ensure!(
        !ran && run.reason() == "source_unavailable" && run.error().contains("SHA-256"),
        "{run:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_script_runs_only_with_an_interpreter_that_is_allowed() -> anyhow::Result<()> {
    let programs = Programs::make()?;
    for (interpreter, why) in [
        (
            "/bin/bash",
            "a script of /bin/bash, which is not in the allowed_commands",
        ),
        (
            "/usr/bin/env sh",
            "a script of /usr/bin/env, which is not in the allowed_commands",
        ),
        ("/bin/../bin/sh", "not in the allowed_commands"),
        ("sh", "does not name its interpreter by an absolute path"),
        ("", "does not name its interpreter by an absolute path"),
    ] {
        let path = programs.script("bin/job", interpreter)?;
        programs.refused(&path, why).await?;
    }
    let endless = programs.script("bin/endless", &"/".repeat(5000))?;
    programs.refused(&endless, "does not name its interpreter").await?;
    let inner = programs.script("bin/inner", "/bin/sh")?;
    let outer = programs.script("bin/outer", &inner.to_string_lossy())?;
    let both = |service: Service| service.policy("allowed_commands", json!([inner, outer, "/bin/sh"]));
    let (run, ran) = programs.run(&outer, both).await?;
    ensure!(!ran && run.error().contains("which is a script itself"), "{run:?}");
    // with an argument for the interpreter
    let path = programs.script("bin/job", "/bin/sh -x")?;
    let (run, ran) = programs.run(&path, |service| service).await?;
    ensure!(ran && run.output().ends_with(" x\n"), "{run:?}");
    // a list that is empty allows the program itself, and no interpreter
    let (run, ran) = programs
        .run(&path, |service| service.policy("allowed_commands", json!([])))
        .await?;
    ensure!(!ran && run.error().contains("not in the allowed_commands"), "{run:?}");
    Ok(())
}
