//! What a function says of its own failure.

use serde_json::Value;

/// How much of what a function says becomes part of a sentence, in characters.
const MAX_CHARS: usize = 1000;

/// Says that a Lambda function has failed: `how` is what AWS calls it, `answer` what the function's runtime tells.
pub(crate) fn sentence(how: &str, answer: &Value) -> String {
    let text = |name: &str| answer[name].as_str().filter(|text| !text.is_empty()).map(bounded);
    let told = match (text("errorType"), text("errorMessage")) {
        (Some(kind), Some(message)) => format!("{kind}: {message}"),
        (Some(told), None) | (None, Some(told)) => told,
        (None, None) => return format!("the function reported an error ({})", bounded(how)),
    };
    format!("the function reported an error ({}): {told}", bounded(how))
}

fn bounded(text: &str) -> String {
    text.chars().take(MAX_CHARS).collect()
}
