//! Secrets Manager, and the parameters of Systems Manager.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callboard_core::credential::AwsKeys;
use http::HeaderName;
use serde_json::{Map, Value, json};

use super::{Aws, Call, JSON, Service};
use crate::fault::Fault;
use crate::pick::pick;

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

impl Aws {
    /// Reads a secret from Secrets Manager, or one key of it.
    pub(crate) async fn secret(
        &self,
        id: &str,
        key: Option<&str>,
        region: &str,
        keys: &AwsKeys,
    ) -> Result<String, Fault> {
        let target = "secretsmanager.GetSecretValue";
        let answer = self
            .json(Service::SecretsManager, target, &json!({"SecretId": id}), region, keys)
            .await?;
        let text = secret_text(&answer).ok_or_else(|| Fault::new("it is no text"))?;
        let Some(key) = key else { return Ok(text) };
        match serde_json::from_str::<Map<String, Value>>(&text) {
            Ok(values) => pick(&values, Some(key), "key"),
            Err(_) => Err(Fault::new("it is no JSON object, so it has no keys")),
        }
    }

    /// Reads a parameter from Systems Manager, decrypted.
    pub(crate) async fn parameter(&self, name: &str, region: &str, keys: &AwsKeys) -> Result<String, Fault> {
        let (target, body) = ("AmazonSSM.GetParameter", json!({"Name": name, "WithDecryption": true}));
        let answer = self.json(Service::Ssm, target, &body, region, keys).await?;
        let value = answer.pointer("/Parameter/Value").and_then(Value::as_str);
        value.map(str::to_owned).ok_or_else(|| Fault::new("it is no text"))
    }

    async fn json(
        &self,
        service: Service,
        target: &'static str,
        body: &Value,
        region: &str,
        keys: &AwsKeys,
    ) -> Result<Value, Fault> {
        let call = Call {
            service,
            region,
            headers: &[JSON, (TARGET, target)],
            body: body.to_string().into_bytes(),
        };
        let answer = self.send(call, keys).await?;
        // the parser's own message could quote the text
        serde_json::from_slice(answer.body()).map_err(|_| Fault::new("AWS answered with no JSON"))
    }
}

fn secret_text(answer: &Value) -> Option<String> {
    if let Some(text) = answer.get("SecretString").and_then(Value::as_str) {
        return Some(text.to_owned());
    }
    let bytes = STANDARD.decode(answer.get("SecretBinary")?.as_str()?).ok()?;
    String::from_utf8(bytes).ok()
}
