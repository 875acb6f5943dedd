//! Error answers from AWS.

use callboard_identity::AwsError;
use roxmltree::Document;

use crate::call::{self, Answer};
use crate::fault::Fault;

/// Returns whether the same call may succeed later.
pub(super) fn is_busy(answer: &Answer) -> bool {
    call::is_busy(answer) || error(answer.body()).is_some_and(|error| error.kind.contains("Throttl"))
}

/// Says why a call failed. AWS's own message is kept for the log only if it says who lacks which permission: a message
/// about a signature would repeat what was signed, including the token.
pub(super) fn fault(answer: &Answer) -> Fault {
    let status = answer.status().as_u16();
    let Some(AwsError { kind, message }) = error(answer.body()) else {
        return Fault::new(format!("AWS answered with status {status}"));
    };
    match kind.as_str() {
        "ResourceNotFoundException" | "ParameterNotFound" => Fault::new("it is not there"),
        kind if kind.starts_with("AccessDenied") => Fault::caused(
            format!("AWS answered {kind} (status {status})"),
            message.unwrap_or_default(),
        ),
        kind => Fault::new(format!("AWS answered {kind} (status {status})")),
    }
}

/// Reads an error, from JSON or XML.
fn error(body: &[u8]) -> Option<AwsError> {
    AwsError::read(None, body).or_else(|| {
        let text = std::str::from_utf8(body).ok()?;
        let document = Document::parse(text).ok()?;
        AwsError::named(&element(&document, "Code")?, element(&document, "Message"))
    })
}

/// Returns the text of the first element with a name, in any namespace.
pub(super) fn element(document: &Document<'_>, name: &str) -> Option<String> {
    let found = document.descendants().find(|node| node.tag_name().name() == name)?;
    found.text().map(|text| text.trim().to_owned())
}
