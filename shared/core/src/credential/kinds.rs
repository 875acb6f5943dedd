//! Reads the content of each kind of credential.

use super::client_certificate::ClientCertificate;
use super::known_hosts;
use super::reference::{name, region};
use super::texts::{MAX_LINE_BYTES, MAX_SECRET_BYTES, header_value, required, secret};
use super::value::{AwsAccess, Credential, GitAccess, KeyPair, SshAccess, VaultAccess, VaultAuth};
use crate::base::fields::{Faults, Fields};
use crate::base::secret::Secret;
use crate::base::time::{Clock, SystemClock};

const MAX_KEY_BYTES: usize = 32 * 1024;

pub(super) fn ssh(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<SshAccess> {
    let key = key_pair(fields, faults, true);
    let known_hosts = known_hosts::read(fields, MAX_KEY_BYTES, faults);
    key.map(|key| SshAccess { key, known_hosts })
}

fn key_pair(fields: &mut Fields<'_>, faults: &mut Faults, must: bool) -> Option<KeyPair> {
    if fields.get("private_key").is_none() && must {
        faults.add(fields.pointer("private_key"), "is missing");
    }
    let private_key = secret(fields, "private_key", MAX_KEY_BYTES, faults);
    let passphrase = secret(fields, "passphrase", MAX_SECRET_BYTES, faults);
    let certificate = fields.text("certificate", MAX_KEY_BYTES, faults).map(str::to_owned);
    let private_key = private_key?;
    let text = private_key.expose().trim();
    if !text.starts_with("-----BEGIN ") || !text.ends_with("PRIVATE KEY-----") {
        let right = "with its first line `-----BEGIN ... PRIVATE KEY-----` and its last";
        faults.add(
            fields.pointer("private_key"),
            format!("must be a private key in OpenSSH's or PEM format, {right}"),
        );
    }
    if certificate
        .as_deref()
        .is_some_and(|text| !text.contains("-cert-v01@openssh.com "))
    {
        faults.add(
            fields.pointer("certificate"),
            "must be an OpenSSH certificate: the content of the -cert.pub file",
        );
    }
    // ssh-add refuses a key without a trailing newline
    let private_key = Secret::new(format!("{text}\n"));
    Some(KeyPair {
        private_key,
        passphrase,
        certificate,
    })
}

pub(super) fn git(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<GitAccess> {
    let username = fields.line("username", MAX_LINE_BYTES, faults).map(str::to_owned);
    let token = fields.get("token").and_then(|_| required(fields, "token", faults));
    let given = fields.get("token").is_some() || fields.get("private_key").is_some();
    if !given {
        faults.add(
            fields.pointer("token"),
            "is missing: a git credential holds a token (https) or a private_key (ssh)",
        );
    }
    let key = key_pair(fields, faults, false);
    let known_hosts = known_hosts::read(fields, MAX_KEY_BYTES, faults);
    let hosts = hosts(fields, faults);
    given.then_some(GitAccess {
        username,
        token,
        key,
        known_hosts,
        hosts,
    })
}

pub(super) fn aws(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<AwsAccess> {
    let provider = fields.line("provider", MAX_LINE_BYTES, faults);
    if provider.is_some_and(|provider| provider != "aws") {
        faults.add(fields.pointer("provider"), "is not known here; known is \"aws\"");
    }
    let mut line = |name| fields.line(name, MAX_LINE_BYTES, faults).map(str::to_owned);
    let (access_key_id, role_arn, external_id) = (line("access_key_id"), line("role_arn"), line("external_id"));
    let region = region(fields, faults);
    let secret_access_key = fields
        .get("secret_access_key")
        .and_then(|_| required(fields, "secret_access_key", faults));
    let session_token = secret(fields, "session_token", MAX_SECRET_BYTES, faults);
    if access_key_id.is_some() != fields.get("secret_access_key").is_some() {
        faults.add(fields.pointer("access_key_id"), "and secret_access_key go together");
    }
    if access_key_id.is_none() && role_arn.is_none() {
        let right = "a cloud credential holds access_key_id and secret_access_key, or a role_arn";
        faults.add(fields.pointer("access_key_id"), format!("is missing: {right}"));
    }
    if role_arn.as_deref().is_some_and(|arn| !is_role(arn)) {
        faults.add(
            fields.pointer("role_arn"),
            "must be the ARN of a role, as in \"arn:aws:iam::123456789012:role/deploy\"",
        );
    }
    Some(AwsAccess {
        access_key_id,
        secret_access_key,
        session_token,
        role_arn,
        external_id,
        region,
    })
}

/// Returns whether a text is the ARN of a role.
#[must_use]
pub fn is_role(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(parts[..], ["arn", _, "iam", "", account, role]
        if account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) && role.starts_with("role/"))
}

pub(super) fn header(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Credential> {
    let name = fields.required_line("header", 128, faults);
    if name.is_some_and(|name| !is_header(name)) {
        faults.add(
            fields.pointer("header"),
            "must be the name of a header, as in \"X-Api-Key\"",
        );
    }
    let hosts = hosts(fields, faults);
    let value = header_value(fields, "value", faults)?;
    Some(Credential::Header {
        header: name.map(str::to_owned)?,
        value,
        hosts,
    })
}

pub(super) fn client_certificate(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<ClientCertificate> {
    for name in ["certificate", "private_key"] {
        if fields.get(name).is_none() {
            faults.add(fields.pointer(name), "is missing");
        }
    }
    let certificate = fields.text("certificate", MAX_KEY_BYTES, faults).map(str::to_owned);
    let private_key = secret(fields, "private_key", MAX_KEY_BYTES, faults);
    let read = ClientCertificate {
        hosts: hosts(fields, faults),
        certificate: certificate?,
        private_key: private_key?,
    };
    match read.check(SystemClock.now()) {
        Ok(()) => Some(read),
        Err(unfit) => {
            faults.add(fields.pointer(unfit.field), unfit.detail);
            None
        }
    }
}

/// Returns whether a text is the name of a header.
#[must_use]
pub fn is_header(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

pub(super) fn vault(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<VaultAccess> {
    let url = fields
        .required_line("url", MAX_LINE_BYTES, faults)
        .unwrap_or_default()
        .to_owned();
    if !url.is_empty() && !url.starts_with("https://") && !url.starts_with("http://") {
        faults.add(
            fields.pointer("url"),
            "must be the address of Vault, as in \"https://vault.example.com:8200\"",
        );
    }
    let mut line = |name| fields.line(name, MAX_LINE_BYTES, faults).map(str::to_owned);
    let namespace = line("namespace");
    let (mount, role_id, role, server_id) = (line("mount"), line("role_id"), line("role"), line("server_id"));
    let cloud_credential = name(fields, "cloud_credential", faults);
    let mut optional = |name| fields.get(name).and_then(|_| required(fields, name, faults));
    let (token, secret_id) = (optional("token"), optional("secret_id"));
    let auth = match (token, role_id, secret_id, role) {
        (Some(token), None, None, None) => Some(VaultAuth::Token { token }),
        (None, Some(role_id), Some(secret_id), None) => Some(VaultAuth::Approle {
            role_id,
            secret_id,
            mount,
        }),
        (None, None, None, Some(role)) => Some(VaultAuth::AwsIam {
            role,
            mount,
            server_id,
            cloud_credential,
        }),
        _ => {
            let ways = "a token; or role_id and secret_id (AppRole); or role (AWS IAM)";
            faults.add(fields.pointer("token"), format!("give one way to log in: {ways}"));
            None
        }
    };
    Some(VaultAccess {
        url: url.trim_end_matches('/').to_owned(),
        namespace,
        auth: auth?,
    })
}

pub(super) fn hosts(fields: &mut Fields<'_>, faults: &mut Faults) -> Vec<String> {
    let hosts = fields.lines("hosts", 255, faults);
    for (index, host) in hosts.iter().enumerate() {
        if host.contains(['/', '@']) {
            let pointer = format!("{}/{index}", fields.pointer("hosts"));
            faults.add(pointer, "must be a host, with its port where that is not the usual one");
        }
    }
    hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect()
}
