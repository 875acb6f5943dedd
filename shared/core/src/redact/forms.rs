//! The forms in which programs write a text: encoded, escaped, quoted, line by line.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::base::secret::{MIN_SECRET_BYTES, Secret};

/// The minimum length of a line of a secret. A shorter line may be an ordinary word.
const MIN_LINE_CHARS: usize = 8;
const MIN_HEX_BYTES: usize = 8;
const MIN_BASE64_CHARS: usize = 6;
/// `base64` and Python's `encodebytes` break their lines after 76 characters.
const BASE64_LINE_BYTES: usize = 57;
/// The characters that encoders leave unchanged besides the unreserved ones of RFC 3986: none; as in Python's `quote`; as in
/// JavaScript's `encodeURIComponent`; as in the user part of a URL.
const PERCENT_KEEPS: [&str; 4] = ["", "/", "!'()*", "!$&'()*+,;="];
/// How the double and the single quote are written in XML and HTML.
const XML_QUOTES: [(&str, &str); 6] = [
    ("\"", "'"),
    ("&quot;", "'"),
    ("&quot;", "&#39;"),
    ("&quot;", "&#x27;"),
    ("&quot;", "&apos;"),
    ("&#34;", "&#39;"),
];

/// Returns every form of every secret.
pub(super) fn of(secrets: &[Secret]) -> BTreeSet<String> {
    let mut forms = BTreeSet::new();
    for secret in secrets {
        add_secret(secret.expose(), &mut forms);
    }
    forms
}

fn add_secret(secret: &str, forms: &mut BTreeSet<String>) {
    let trimmed = secret.trim_matches(['\r', '\n']);
    let text = if trimmed.len() < MIN_SECRET_BYTES {
        secret
    } else {
        trimmed
    };
    if text.len() < MIN_SECRET_BYTES {
        return;
    }
    add_encoded(text, forms);
    add_escaped(text, forms);
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() > 1 {
        add_lines(&lines, forms);
    }
}

fn add_lines(lines: &[&str], forms: &mut BTreeSet<String>) {
    for joined in [lines.join("\n"), lines.join("\r\n"), lines.concat()] {
        if joined.len() >= MIN_SECRET_BYTES {
            add_escaped(&joined, forms);
        }
    }
    let armour = |line: &str| line.starts_with("-----BEGIN") || line.starts_with("-----END");
    for line in lines.iter().map(|line| line.trim()) {
        if line.chars().count() >= MIN_LINE_CHARS && !armour(line) {
            add_encoded(line, forms);
            add_escaped(line, forms);
        }
    }
}

/// Adds the text unchanged and in its escaped forms, and each of these again as a JSON string.
fn add_escaped(text: &str, forms: &mut BTreeSet<String>) {
    let mut once = vec![text.to_owned(), json(text), json_ascii(text)];
    once.extend([json(text), json_ascii(text)].map(|text| text.replace('/', r"\/")));
    once.extend(["<>&", "<>&'"].map(|escaped| json_for_html(text, escaped)));
    once.extend([false, true].into_iter().flat_map(|quote| python(text, quote)));
    once.extend([r#"'"'"'"#, r"'\''"].map(|quote| text.replace('\'', quote)));
    once.extend(XML_QUOTES.map(|quotes| xml(text, quotes)));
    let once: BTreeSet<String> = once.into_iter().collect();
    for form in once {
        forms.insert(json(&form));
        forms.insert(json_ascii(&form));
        forms.insert(form);
    }
}

fn add_encoded(text: &str, forms: &mut BTreeSet<String>) {
    let bytes = text.as_bytes();
    add_base64(bytes, forms);
    if bytes.len() > BASE64_LINE_BYTES {
        bytes.chunks(BASE64_LINE_BYTES).for_each(|line| add_base64(line, forms));
    }
    for keep in PERCENT_KEEPS {
        for space in ["%20", "+"] {
            forms.insert(percent(text, keep, space, |byte| format!("%{byte:02X}")));
            forms.insert(percent(text, keep, space, |byte| format!("%{byte:02x}")));
        }
    }
    if bytes.len() >= MIN_HEX_BYTES {
        forms.insert(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
        forms.insert(bytes.iter().map(|byte| format!("{byte:02X}")).collect());
    }
}

/// Adds the base64 characters that do not depend on the bytes before and after, for each way of dividing the bytes into threes.
fn add_base64(bytes: &[u8], forms: &mut BTreeSet<String>) {
    for (before, depend) in [(0, 0), (1, 2), (2, 3)] {
        let padded = [&[0; 2][..before], bytes].concat();
        let whole = padded.len() * 8 / 6;
        if whole < depend + MIN_BASE64_CHARS {
            continue;
        }
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            forms.insert(engine.encode(&padded)[depend..whole].to_owned());
        }
    }
}

fn percent(text: &str, keep: &str, space: &str, encode: impl Fn(u8) -> String) -> String {
    let one = |byte: u8| match byte {
        b' ' => space.to_owned(),
        _ if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || keep.as_bytes().contains(&byte) => {
            char::from(byte).to_string()
        }
        _ => encode(byte),
    };
    text.bytes().map(one).collect()
}

fn json(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Writes a text as Python's `json.dumps` does.
fn json_ascii(text: &str) -> String {
    escape_unicode(&json(text))
}

pub(super) fn escape_unicode(text: &str) -> String {
    escape(text, |char| {
        let mut units = [0; 2];
        let units = char.encode_utf16(&mut units).iter();
        (char >= '\x7f').then(|| units.map(|unit| format!("\\u{unit:04x}")).collect())
    })
}

/// Writes a text as Go and Jinja's `tojson` do.
fn json_for_html(text: &str, escaped: &str) -> String {
    escape(&json(text), |char| {
        escaped.contains(char).then(|| format!("\\u{:04x}", u32::from(char)))
    })
}

/// Writes a text as Python's `repr`, its `ascii` and the `repr` of the text's bytes do.
fn python(text: &str, quote: bool) -> [String; 3] {
    let repr = |keep: fn(char) -> bool| escape(text, |char| python_escape(char, quote, keep));
    let bytes: String = text.bytes().map(char::from).collect();
    [
        repr(|char| !char.is_control() && (char == ' ' || !char.is_whitespace())),
        repr(|char| (' '..='~').contains(&char)),
        escape(&bytes, |char| {
            python_escape(char, quote, |char| (' '..='~').contains(&char))
        }),
    ]
}

fn python_escape(char: char, quote: bool, keep: fn(char) -> bool) -> Option<String> {
    let code = u32::from(char);
    match char {
        '\\' => Some(r"\\".to_owned()),
        '\n' => Some(r"\n".to_owned()),
        '\r' => Some(r"\r".to_owned()),
        '\t' => Some(r"\t".to_owned()),
        '\'' if quote => Some(r"\'".to_owned()),
        _ if keep(char) => None,
        _ if code < 0x100 => Some(format!("\\x{code:02x}")),
        _ if code < 0x10000 => Some(format!("\\u{code:04x}")),
        _ => Some(format!("\\U{code:08x}")),
    }
}

fn xml(text: &str, (double, single): (&str, &str)) -> String {
    escape(text, |char| match char {
        '&' => Some("&amp;".to_owned()),
        '<' => Some("&lt;".to_owned()),
        '>' => Some("&gt;".to_owned()),
        '"' => Some(double.to_owned()),
        '\'' => Some(single.to_owned()),
        _ => None,
    })
}

fn escape(text: &str, one: impl Fn(char) -> Option<String>) -> String {
    let each = |char: char| one(char).unwrap_or_else(|| char.to_string());
    text.chars().map(each).collect()
}
