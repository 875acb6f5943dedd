//! Verifies AWS's signatures, as AWS describes it, step by step.

use anyhow::{Context, ensure};
use callboard_core::base::hex::hex;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::server::Seen;

impl Seen {
    /// Checks that a secret key has signed the request, with the host, the time, the session token and `headers`.
    ///
    /// # Errors
    /// It has not.
    pub fn is_signed(&self, key: &str, region: &str, service: &str, headers: &[&str]) -> anyhow::Result<()> {
        let given = self.header("authorization");
        let part = |name: &str| {
            let (_, rest) = given.split_once(&format!("{name}="))?;
            rest.split(", ").next()
        };
        let (names, signature) = part("SignedHeaders").zip(part("Signature")).context("a signature")?;
        let token = ["x-amz-security-token"].into_iter();
        let token = token.filter(|name| self.headers.contains_key(*name));
        for required in ["host", "x-amz-date"]
            .into_iter()
            .chain(token)
            .chain(headers.iter().copied())
        {
            ensure!(
                names.split(';').any(|name| name == required),
                "{required} is not signed: {names}"
            );
        }
        let date = self.header("x-amz-date");
        let scope = format!("{}/{region}/{service}/aws4_request", date.get(..8).context("a date")?);
        let canonical = self.canonical(names);
        let text = format!(
            "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
            hex(&Sha256::digest(&canonical))
        );
        let mut key = format!("AWS4{key}").into_bytes();
        for part in scope.split('/').chain([text.as_str()]) {
            let mac = Hmac::<Sha256>::new_from_slice(&key)?.chain_update(part);
            key = mac.finalize().into_bytes().to_vec();
        }
        ensure!(signature == hex(&key), "{canonical}");
        Ok(())
    }

    /// Returns the canonical request; services other than S3 encode the path a second time.
    fn canonical(&self, names: &str) -> String {
        let headers = names
            .split(';')
            .map(|name| format!("{name}:{}\n", self.header(name).trim()));
        let headers: String = headers.collect();
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let mut query: Vec<String> = query
            .split('&')
            .map(|part| {
                let named = part.contains('=') || part.is_empty();
                if named { part.to_owned() } else { format!("{part}=") }
            })
            .collect();
        query.sort_unstable();
        let (method, path, query) = (&self.method, path.replace('%', "%25"), query.join("&"));
        let body = hex(&Sha256::digest(&self.body));
        format!("{method}\n{path}\n{query}\n{headers}\n{names}\n{body}")
    }
}
