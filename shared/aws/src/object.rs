//! Reads an object to its end.

use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use bytes::Bytes;
use callboard_core::base::store_error::StoreError;

use crate::error::aws;

/// How often to request an object whose body breaks off.
const TRIES: u32 = 3;

/// Reads the object that a call finds; `None` if there is no such object. The SDK repeats a call whose answer does not
/// begin; this function repeats one whose body breaks off.
pub(crate) async fn read(get: GetObjectFluentBuilder) -> Result<Option<Bytes>, StoreError> {
    let mut tries = 1;
    loop {
        let found = match get.clone().send().await {
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => return Ok(None),
            found => found.map_err(aws)?,
        };
        match found.body.collect().await {
            Ok(body) => return Ok(Some(body.into_bytes())),
            Err(error) if tries == TRIES => return Err(StoreError::Unavailable(error.into())),
            Err(_) => tries += 1,
        }
    }
}
