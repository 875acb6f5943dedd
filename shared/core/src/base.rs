//! The basic types that everything else uses: ids, times, JSON, secrets, errors.

pub mod address;
pub mod brief;
pub mod causes;
pub mod fields;
pub mod hex;
pub mod id;
pub mod json;
pub mod object;
pub mod secret;
pub mod sentence;
pub mod store_error;
pub mod time;
pub mod web_address;
