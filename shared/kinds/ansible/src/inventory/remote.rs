//! Inventories that a worker fetches, or that an inventory plugin makes for it.

use std::collections::BTreeMap;

use callboard_core::base::fields::{Faults, Fields};
use callboard_core::base::json::escape;
use callboard_core::base::web_address::WebAddress;
use callboard_core::credential::{CredentialKind, CredentialRef, CredentialUse, check_name, is_header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::repository::check_path;
use crate::source::{GitFields, GitSource};

const MAX_PATH_BYTES: usize = 1024;
const MAX_URL_BYTES: usize = 2048;
const MAX_HEADER_BYTES: usize = 8 * 1024;

/// An inventory file or folder of a Git repository, with the `group_vars` and `host_vars` next to it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct GitInventory {
    /// The address of the repository. Its host must be in the policy.
    #[schema(max_length = 2048)]
    pub repo: String,
    /// A branch, a tag or a full commit id. Default: the repository's default branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255)]
    pub branch: Option<String>,
    /// The path of the file or folder in the repository.
    #[schema(max_length = 1024, example = "production/hosts.yml")]
    pub path: String,
    /// A credential of kind `git`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_credential: Option<CredentialRef>,
    /// If true, also fetches submodules. The credential is used for those on the same host; for others only if it names their hosts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub submodules: bool,
}

/// The format of an inventory at a URL.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UrlFormat {
    /// Ansible's YAML inventory.
    #[default]
    Yaml,
    /// The same as JSON, or what `ansible-inventory --list` prints.
    Json,
    /// Ansible's INI inventory.
    Ini,
}

/// An inventory that is fetched over HTTP when the job starts.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct UrlInventory {
    /// The URL of the inventory. Redirects to other hosts are not followed, and private addresses must be in the policy.
    #[schema(max_length = 2048, example = "https://cmdb.example.com/api/ansible/inventory")]
    pub url: String,
    /// The format of the inventory. Default: `yaml`.
    #[serde(default)]
    pub format: UrlFormat,
    /// Headers to send. `${NAME}` in a value stands for the token or value of the stored credential NAME or, if `credential` is
    /// set, of that credential.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A credential of kind `bearer` or `header`. If no header refers to it, it is sent as its kind defines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialRef>,
}

/// An inventory that an inventory plugin builds.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, ToSchema)]
pub struct DynamicInventory {
    /// The name of the plugin, which must be in the policy.
    #[schema(min_length = 1, max_length = 255, example = "amazon.aws.aws_ec2")]
    pub plugin: String,
    /// The options of the plugin.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = callboard_core::request::Variables)]
    pub config: Map<String, Value>,
    /// A credential of kind `cloud`, for the plugins of `amazon.aws`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_credential: Option<CredentialRef>,
}

impl GitInventory {
    /// Returns the repository.
    #[must_use]
    pub fn git(&self) -> GitSource<'_> {
        GitSource {
            repo: &self.repo,
            branch: self.branch.as_deref(),
            credential: self.git_credential.as_ref(),
            submodules: self.submodules,
        }
    }

    pub(super) fn parse(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        if fields.get("repo").is_none() {
            faults.add(fields.pointer("repo"), "is missing");
        }
        let git = GitFields::parse(fields, faults);
        let path = fields.required_line("path", MAX_PATH_BYTES, faults).unwrap_or_default();
        check_path(path, &fields.pointer("path"), faults);
        Self {
            repo: git.repo.unwrap_or_default(),
            branch: git.branch,
            path: path.to_owned(),
            git_credential: git.credential,
            submodules: git.submodules,
        }
    }

    pub(super) fn uses(&self, pointer: &str, uses: &mut Vec<CredentialUse>) {
        if let Some(credential) = &self.git_credential {
            credential.uses(&format!("{pointer}/git_credential"), &[CredentialKind::Git], uses);
        }
    }
}

const HEADER_KINDS: &[CredentialKind] = &[CredentialKind::Bearer, CredentialKind::Header];

impl UrlInventory {
    pub(super) fn parse(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let url = fields.required_line("url", MAX_URL_BYTES, faults).unwrap_or_default();
        if let Err(wrong) = WebAddress::parse(url)
            && !url.is_empty()
        {
            faults.add(fields.pointer("url"), wrong);
        }
        let format = fields
            .get("format")
            .and_then(|_| fields.variant("format", &["yaml", "json", "ini"], faults));
        let headers = fields.line_map("headers", MAX_HEADER_BYTES, faults);
        for (name, value) in &headers {
            let pointer = format!("{}/{}", fields.pointer("headers"), escape(name));
            check_header(name, value, &pointer, faults);
        }
        Self {
            url: url.to_owned(),
            format: match format {
                Some("json") => UrlFormat::Json,
                Some("ini") => UrlFormat::Ini,
                _ => UrlFormat::Yaml,
            },
            headers,
            credential: CredentialRef::field(fields, "credential", faults),
        }
    }

    pub(super) fn uses(&self, pointer: &str, uses: &mut Vec<CredentialUse>) {
        if let Some(credential) = &self.credential {
            return credential.uses(&format!("{pointer}/credential"), HEADER_KINDS, uses);
        }
        for (header, value) in &self.headers {
            for name in placeholders(value).into_iter().flatten() {
                uses.push(CredentialUse {
                    pointer: format!("{pointer}/headers/{}", escape(header)),
                    name: name.to_owned(),
                    kinds: HEADER_KINDS,
                });
            }
        }
    }
}

/// Returns the names of the `${NAME}` placeholders in a header's value.
///
/// # Errors
/// A placeholder has no end, or does not hold a name.
pub fn placeholders(value: &str) -> Result<Vec<&str>, &'static str> {
    let mut names = Vec::new();
    let mut rest = value;
    while let Some(start) = rest.find("${") {
        let (name, after) = rest[start + 2..].split_once('}').ok_or("has a `${` without its `}`")?;
        if !check_name(name, "", &mut Faults::default()) {
            return Err("must name a credential in `${...}`");
        }
        names.push(name);
        rest = after;
    }
    Ok(names)
}

fn check_header(name: &str, value: &str, pointer: &str, faults: &mut Faults) {
    const SET_BY_US: [&str; 5] = ["host", "content-length", "transfer-encoding", "connection", "upgrade"];
    if !is_header(name) || SET_BY_US.contains(&name.to_ascii_lowercase().as_str()) {
        faults.add(pointer, "must be a header that a caller may set");
    }
    if !value.is_ascii() {
        faults.add(pointer, "must hold only ASCII");
    }
    if let Err(wrong) = placeholders(value) {
        faults.add(pointer, wrong);
    }
}

/// Options of inventory plugins that hold secrets.
const SECRET_OPTIONS: [&str; 9] = [
    "secret_key",
    "aws_secret_key",
    "aws_secret_access_key",
    "session_token",
    "aws_session_token",
    "aws_security_token",
    "password",
    "token",
    "api_token",
];

impl DynamicInventory {
    pub(super) fn parse(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let plugin = fields.required_line("plugin", 255, faults).unwrap_or_default();
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_.".contains(&byte);
        if !plugin.bytes().all(good) || plugin.starts_with('.') {
            faults.add(
                fields.pointer("plugin"),
                "must be the name of an inventory plugin, as in \"amazon.aws.aws_ec2\"",
            );
        }
        let config = fields.object("config", faults).cloned().unwrap_or_default();
        if config.contains_key("plugin") {
            faults.add(
                format!("{}/plugin", fields.pointer("config")),
                "is given beside config already",
            );
        }
        for name in SECRET_OPTIONS.into_iter().filter(|name| config.contains_key(*name)) {
            let pointer = format!("{}/{name}", fields.pointer("config"));
            faults.add(
                pointer,
                "is a secret, which a request must not hold; name a cloud_credential",
            );
        }
        let cloud_credential = CredentialRef::field(fields, "cloud_credential", faults);
        if cloud_credential.is_some() && !plugin.starts_with("amazon.aws.") {
            faults.add(fields.pointer("cloud_credential"), "is for plugins of amazon.aws only");
        }
        Self {
            plugin: plugin.to_owned(),
            config,
            cloud_credential,
        }
    }

    pub(super) fn uses(&self, pointer: &str, uses: &mut Vec<CredentialUse>) {
        if let Some(credential) = &self.cloud_credential {
            credential.uses(&format!("{pointer}/cloud_credential"), &[CredentialKind::Cloud], uses);
        }
    }
}
