//! The output of a call: whether it is what its operation promises, and free of secrets.

use callboard_core::base::fields::Faults;
use callboard_core::base::json;
use callboard_core::output::Beginning;
use callboard_core::redact::Redactor;
use callboard_core::request::MAX_OUTPUT_DEPTH as MAX_DEPTH;
use serde_json::Value;

use crate::config::OutputFormat;
use crate::schema::Schema;

/// How much of what a program or a container prints on its standard output the job's output has.
pub const MAX_PRINTED_BYTES: usize = 1024 * 1024;

/// What a program or a container has printed, as the job's output.
#[derive(Debug)]
pub struct Printed {
    /// The output: as the operation says it is, or a text where it is not that.
    pub output: Value,
    /// What is wrong with it, as a part of a sentence.
    pub fault: Option<String>,
}

/// Reads what was printed on the standard output, which must satisfy the operation's schema if it has one.
#[must_use]
pub fn printed(stdout: &Beginning, format: OutputFormat, schema: Option<&Value>, redactor: &Redactor) -> Printed {
    let parsed = match format {
        OutputFormat::Text => Ok(text(stdout)),
        OutputFormat::Json if stdout.truncated => Err("the output is too large to be read as JSON".to_owned()),
        OutputFormat::Json => parse(&stdout.bytes, redactor).map_err(|error| format!("the output is no JSON: {error}")),
    };
    match parsed {
        Ok(output) => Printed {
            fault: schema.and_then(|schema| fault(schema, &output, stdout.truncated)),
            output,
        },
        Err(fault) => Printed {
            output: text(stdout),
            fault: Some(fault),
        },
    }
}

fn text(stdout: &Beginning) -> Value {
    String::from_utf8_lossy(&stdout.bytes).into_owned().into()
}

/// Returns what is wrong with an output that must satisfy a schema.
#[must_use]
pub fn fault(schema: &Value, output: &Value, truncated: bool) -> Option<String> {
    if truncated {
        return Some("the output is too large to be compared with its schema".to_owned());
    }
    let mut faults = Faults::default();
    match Schema::compile(schema) {
        Ok(schema) => schema.check(output, "", &mut faults),
        Err(wrong) => faults.add(wrong.pointer, wrong.detail),
    }
    let fault = faults.into_inner().into_iter().next()?;
    let place = if fault.pointer.is_empty() {
        "the output"
    } else {
        fault.pointer.as_str()
    };
    Some(format!("the output breaks its schema: {place}: {}", fault.detail))
}

/// Reads an output that is JSON, without secrets: the text was searched for them, and reading it undoes escapes that may have hidden one.
///
/// # Errors
/// A part of a sentence that says why it is none, or is nested too deep to be kept as it is.
pub fn parse(bytes: &[u8], redactor: &Redactor) -> Result<Value, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if json::is_deeper(&value, MAX_DEPTH) {
        return Err(format!("it is nested more than {MAX_DEPTH} levels deep"));
    }
    Ok(redacted(value, redactor))
}

fn redacted(value: Value, redactor: &Redactor) -> Value {
    match value {
        Value::String(text) => redactor.text(&text).into(),
        Value::Array(items) => items.into_iter().map(|item| redacted(item, redactor)).collect(),
        Value::Object(entries) => {
            let entries = entries.into_iter();
            Value::Object(
                entries
                    .map(|(name, value)| (redactor.text(&name), redacted(value, redactor)))
                    .collect(),
            )
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nested_too_deep_is_no_output() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        for (levels, good) in [
            (1, true),
            (MAX_DEPTH, true),
            (MAX_DEPTH + 1, false),
            (126, false),
            (5000, false),
        ] {
            assert_eq!(
                parse(nested(levels).as_bytes(), &Redactor::default()).is_ok(),
                good,
                "{levels}"
            );
        }
    }
}
