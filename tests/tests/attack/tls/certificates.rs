//! Certificates that do not fit, and those that are renewed.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use anyhow::{bail, ensure};
use callboard_tests::{Service, wait};

use super::{Files, Pair, lives};

/// Tells why a service does not start.
fn refusal(arguments: &[&str]) -> anyhow::Result<String> {
    match Service::start(arguments) {
        Ok(_) => bail!("{arguments:?} is taken"),
        Err(error) => Ok(format!("{error:#}")),
    }
}

#[test]
fn what_cannot_be_used_is_refused_at_the_start_by_its_name() -> anyhow::Result<()> {
    let (pair, other) = (Pair::new()?, Pair::new()?);
    let both = format!("{}{}", other.certificate, pair.certificate);
    let encrypted = pair.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let broken = pair.certificate.replacen("MII", "AAA", 1);
    let huge = "x".repeat(2 << 20);
    let secret = pair.key.lines().nth(1).unwrap_or_default();
    for (certificate, key, file, told) in [
        ("", &*pair.key, "service.crt", "must be certificates in PEM format"),
        (
            "certificate",
            &pair.key,
            "service.crt",
            "must be certificates in PEM format",
        ),
        (
            &pair.key,
            &pair.key,
            "service.crt",
            "must be certificates in PEM format",
        ),
        (&broken, &pair.key, "service.crt", "is damaged"),
        (&huge, &pair.key, "service.crt", "is larger than"),
        (
            &pair.certificate,
            "",
            "service.key",
            "must be a private key in PEM format",
        ),
        (
            &pair.certificate,
            &pair.certificate,
            "service.key",
            "must be a private key in PEM format",
        ),
        (&pair.certificate, &encrypted, "service.key", "that is not encrypted"),
        (
            &pair.certificate,
            &other.key,
            "service.key",
            "is not the key of the (first) certificate",
        ),
        (
            &both,
            &pair.key,
            "service.key",
            "is not the key of the (first) certificate",
        ),
    ] {
        let files = Files::new()?;
        files.put(certificate, key)?;
        let error = refusal(&files.arguments().each_ref().map(String::as_str))?;
        ensure!(error.contains(file) && error.contains(told), "{told}: {error}");
        ensure!(!error.contains(secret), "the key is shown: {error}");
    }
    Ok(())
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_that_mends_it() -> anyhow::Result<()> {
    let files = Files::of(&Pair::new()?)?;
    for mode in [0o644, 0o640, 0o604, 0o660] {
        fs::set_permissions(&files.key, Permissions::from_mode(mode))?;
        let error = refusal(&files.arguments().each_ref().map(String::as_str))?;
        let mends = format!("chmod 600 {}", files.key.display());
        ensure!(
            error.contains(&mends) && error.contains(&format!("mode {mode:o}")),
            "{error}"
        );
    }
    fs::set_permissions(&files.key, Permissions::from_mode(0o400))?;
    files.start()?;
    Ok(())
}

#[test]
fn a_file_that_is_not_there_or_not_named_is_told() -> anyhow::Result<()> {
    for (missing, field) in [("service.crt", "certificate"), ("service.key", "key")] {
        let files = Files::of(&Pair::new()?)?;
        let path = files.folder.path().join(missing);
        fs::remove_file(&path)?;
        let arguments = files.arguments();
        let arguments = arguments.each_ref().map(String::as_str);
        let told = format!("the {field} {} cannot be read: No such file", path.display());
        let error = refusal(&arguments)?;
        ensure!(error.contains(&told), "{error}");
        fs::create_dir(&path)?;
        let error = refusal(&arguments)?;
        ensure!(error.contains("it is no file"), "{error}");
    }
    let files = Files::of(&Pair::new()?)?;
    let arguments = files.arguments();
    let arguments = arguments.each_ref().map(String::as_str);
    for (given, missing) in [(&arguments[..2], "--tls-key"), (&arguments[2..], "--tls-cert")] {
        let error = refusal(given)?;
        ensure!(error.contains(missing), "{error}");
    }
    Ok(())
}

/// Waits until new connections get a certificate.
async fn shown(pair: &Pair, address: SocketAddr) -> anyhow::Result<()> {
    let is_shown = async || Ok(lives(&pair.client()?, address).await.is_ok());
    wait::until_async("a certificate is shown", is_shown).await
}

#[tokio::test]
async fn a_new_pair_is_taken_while_it_serves_and_a_bad_one_changes_nothing() -> anyhow::Result<()> {
    let (first, second, third) = (Pair::new()?, Pair::new()?, Pair::new()?);
    let files = Files::of(&first)?;
    let (service, _data) = files.start()?;
    let (address, kept) = (service.address()?, first.client()?);
    lives(&kept, address).await?;
    files.put(&second.certificate, &second.key)?;
    let changes = async || {
        lives(&kept, address).await?;
        Ok(lives(&second.client()?, address).await.is_ok())
    };
    wait::until_async("the second certificate is shown", changes).await?;
    // its connection stays, and a new one would not be trusted
    lives(&kept, address).await?;
    ensure!(lives(&first.client()?, address).await.is_err());
    let log = || service.log();
    let stays = async |told: &str| {
        wait::until("the log tells what is wrong", || log().contains(told)).await?;
        ensure!(log().contains("the one in force stays"), "{}", log());
        lives(&second.client()?, address).await
    };
    files.replace(&files.key, &first.key, 0o600)?;
    stays("is not the key of the (first) certificate").await?;
    files.put("", &third.key)?;
    stays("must be certificates in PEM format").await?;
    fs::remove_file(&files.certificate)?;
    stays("cannot be read").await?;
    files.put(&third.certificate, &third.key)?;
    fs::set_permissions(&files.key, Permissions::from_mode(0o644))?;
    stays("chmod 600").await?;
    fs::set_permissions(&files.key, Permissions::from_mode(0o600))?;
    shown(&third, address).await?;
    ensure!(
        !log().contains(first.key.lines().nth(1).unwrap_or_default()),
        "the key is shown"
    );
    Ok(())
}
