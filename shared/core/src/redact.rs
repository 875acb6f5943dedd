//! Keeps secrets out of what a job prints and reports, in every form in which programs commonly write them.

mod forms;
mod json;
mod readings;
mod redactor;
mod stream;

pub use self::json::Names;
pub use self::redactor::{REPLACEMENT, Redactor, TooLarge};
pub use self::stream::{Piece, Stream};

#[cfg(test)]
mod tests;
