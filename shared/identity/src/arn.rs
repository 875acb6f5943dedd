//! ARNs, the names of what AWS has.

/// Returns the region of an ARN; `None` if the text is not an ARN, or names a service without regions.
#[must_use]
pub fn region_of_arn(text: &str) -> Option<String> {
    let region = text.strip_prefix("arn:")?.split(':').nth(2)?;
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (!region.is_empty() && region.bytes().all(good)).then(|| region.to_owned())
}
