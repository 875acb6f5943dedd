//! Looking for secrets in bytes, in the forms in which they may have been written.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// What is looked for: the name of the secret and of the form, and the bytes.
pub(crate) struct Forms(Vec<(String, Vec<u8>)>);

impl Forms {
    /// Makes the forms of secrets; of those of several lines, of each long line.
    pub(crate) fn of(secrets: &[(&str, &str)]) -> Self {
        let mut forms = Vec::new();
        for (name, secret) in secrets {
            let lines = secret
                .lines()
                .filter(|line| line.len() > 15 && !line.starts_with("-----"));
            for text in std::iter::once(secret.trim_end()).chain(lines) {
                add(name, text, &mut forms);
            }
        }
        Self(forms)
    }

    /// Checks that bytes hold none of them.
    ///
    /// # Errors
    /// They hold one; the error says which, and what stands before it.
    pub(crate) fn absent(&self, place: &str, bytes: &[u8]) -> anyhow::Result<()> {
        for (name, form) in &self.0 {
            if let Some(at) = find(bytes, form) {
                let before = &bytes[at.saturating_sub(200)..at];
                bail!("{name} is in {place} after {:?}", String::from_utf8_lossy(before));
            }
        }
        Ok(())
    }

    /// Checks every file below a folder, and the names of all; returns how many bytes there were.
    ///
    /// # Errors
    /// A secret is found, or a file cannot be read.
    pub(crate) fn absent_below(&self, folder: &Path) -> anyhow::Result<usize> {
        let mut searched = 0;
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            self.absent("the name of a file", path.as_os_str().as_encoded_bytes())?;
            if kind.is_dir() {
                searched += self.absent_below(&path)?;
            } else if kind.is_file() {
                let bytes = fs::read(&path)?;
                self.absent(&path.display().to_string(), &bytes)?;
                searched += bytes.len();
            }
        }
        Ok(searched)
    }
}

fn add(name: &str, text: &str, forms: &mut Vec<(String, Vec<u8>)>) {
    let mut form = |form: &str, text: String| forms.push((format!("{name}, {form}"), text.into_bytes()));
    form("plain", text.to_owned());
    let json = Value::from(text).to_string();
    form("as JSON", json[1..json.len() - 1].to_owned());
    let twice = Value::from(json).to_string();
    form("twice as JSON", twice[3..twice.len() - 3].to_owned());
    form(
        "in hexadecimal",
        text.bytes().map(|byte| format!("{byte:02x}")).collect(),
    );
    form("in a URL", text.bytes().map(percent).collect());
    for (before, from) in [(0, 0), (1, 2), (2, 3)] {
        let bytes = [&b"xx"[..before], text.as_bytes()].concat();
        for encoded in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            let whole = bytes.len() * 8 / 6;
            form("in base64", encoded[from..whole].to_owned());
        }
    }
}

/// As Jinja's `urlencode` has it.
fn percent(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
        return char::from(byte).to_string();
    }
    format!("%{byte:02X}")
}

/// Finds the first place, looking for the first byte before all others: there are many megabytes.
fn find(bytes: &[u8], form: &[u8]) -> Option<usize> {
    let (first, rest) = form.split_first()?;
    let starts = bytes.iter().enumerate().filter(|(_, byte)| *byte == first);
    starts.map(|(at, _)| at).find(|at| bytes[at + 1..].starts_with(rest))
}
