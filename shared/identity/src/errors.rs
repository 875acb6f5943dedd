//! The errors that AWS's services answer with.

use serde_json::Value;

/// An error of AWS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AwsError {
    /// Its name, such as `AccessDeniedException`.
    pub kind: String,
    /// What the service says of it. One about a signature repeats what was signed.
    pub message: Option<String>,
}

impl AwsError {
    /// Makes an error of the name that an answer has, which may have a namespace before it and more after it; `None` if that is no
    /// name.
    #[must_use]
    pub fn named(name: &str, message: Option<String>) -> Option<Self> {
        let kind = name.rsplit('#').next()?.split(':').next()?;
        let is_name = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        is_name.then(|| Self {
            kind: kind.to_owned(),
            message,
        })
    }

    /// Reads the body of an answer in JSON. `name` is what a header of the answer has, if there is one.
    #[must_use]
    pub fn read(name: Option<&str>, body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |field: &str| body.get(field).and_then(Value::as_str);
        let message = text("message").or_else(|| text("Message")).map(str::to_owned);
        Self::named(name.or_else(|| text("__type"))?, message)
    }
}
