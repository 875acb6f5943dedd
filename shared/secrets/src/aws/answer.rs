//! Error answers from AWS.

use roxmltree::Document;
use serde_json::Value;

use crate::call::{self, Answer};
use crate::fault::Fault;

/// Returns whether the same call may succeed later.
pub(super) fn is_busy(answer: &Answer) -> bool {
    call::is_busy(answer) || code(answer.body()).is_some_and(|(code, _)| code.contains("Throttl"))
}

/// Says why a call failed. AWS's own message is kept for the log only if it says who lacks which permission: a message
/// about a signature would repeat what was signed, including the token.
pub(super) fn fault(answer: &Answer) -> Fault {
    let status = answer.status().as_u16();
    match code(answer.body()) {
        Some((code, _)) if code == "ResourceNotFoundException" || code == "ParameterNotFound" => {
            Fault::new("it is not there")
        }
        Some((code, message)) if code.starts_with("AccessDenied") => {
            Fault::caused(format!("AWS answered {code} (status {status})"), message)
        }
        Some((code, _)) => Fault::new(format!("AWS answered {code} (status {status})")),
        None => Fault::new(format!("AWS answered with status {status}")),
    }
}

/// Reads an error's code and message, from JSON or XML.
fn code(body: &[u8]) -> Option<(String, String)> {
    let (code, message) = match serde_json::from_slice::<Value>(body) {
        Ok(body) => {
            let text = |name| body.get(name).and_then(Value::as_str).map(str::to_owned);
            (text("__type")?, text("message").or_else(|| text("Message")))
        }
        Err(_) => {
            let text = std::str::from_utf8(body).ok()?;
            let document = Document::parse(text).ok()?;
            (element(&document, "Code")?, element(&document, "Message"))
        }
    };
    let name = code.rsplit('#').next()?.split(':').next()?;
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    plain.then(|| (name.to_owned(), message.unwrap_or_default()))
}

/// Returns the text of the first element with a name, in any namespace.
pub(super) fn element(document: &Document<'_>, name: &str) -> Option<String> {
    let found = document.descendants().find(|node| node.tag_name().name() == name)?;
    found.text().map(|text| text.trim().to_owned())
}
