//! Reads the fields that kinds of credentials share.

use crate::base::fields::{Faults, Fields};
use crate::base::secret::{MIN_SECRET_BYTES, Secret};

pub(super) const MAX_SECRET_BYTES: usize = 8 * 1024;
pub(super) const MAX_LINE_BYTES: usize = 2048;

pub(super) fn secret(fields: &mut Fields<'_>, name: &'static str, max: usize, faults: &mut Faults) -> Option<Secret> {
    let text = fields.text(name, max, faults)?;
    if text.len() < MIN_SECRET_BYTES {
        let why = "a shorter one could not be kept out of what jobs print";
        faults.add(
            fields.pointer(name),
            format!("must have at least {MIN_SECRET_BYTES} bytes: {why}"),
        );
    }
    Some(Secret::new(text))
}

pub(super) fn required(fields: &mut Fields<'_>, name: &'static str, faults: &mut Faults) -> Option<Secret> {
    if fields.get(name).is_none() {
        faults.add(fields.pointer(name), "is missing");
    }
    let secret = secret(fields, name, MAX_SECRET_BYTES, faults)?;
    if secret.expose().contains(['\n', '\r']) {
        faults.add(fields.pointer(name), "must be one line");
    }
    Some(secret)
}

/// Reads a password for a program that reads it from a file and strips white space.
pub(super) fn password(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Secret> {
    let password = required(fields, "password", faults)?;
    if password.expose().trim() != password.expose() {
        faults.add(
            fields.pointer("password"),
            "must not begin or end with white space, which programs take away",
        );
    }
    Some(password)
}

pub(super) fn header_value(fields: &mut Fields<'_>, name: &'static str, faults: &mut Faults) -> Option<Secret> {
    let value = required(fields, name, faults)?;
    if !value
        .expose()
        .bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic())
    {
        faults.add(
            fields.pointer(name),
            "must hold only printable ASCII, as a header's value does",
        );
    }
    Some(value)
}
