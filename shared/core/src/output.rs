//! Output: what jobs print and report, in segments, sealed by a manifest.

mod beginning;
mod buffer;
pub mod index;
mod last_bytes;
mod lost;
mod manifest;
mod segment;
mod sink;
mod store;
mod stream;
mod verify;
mod writer;
mod written;

pub use self::beginning::*;
pub use self::last_bytes::*;
pub use self::lost::*;
pub use self::manifest::*;
pub use self::segment::*;
pub use self::sink::*;
pub use self::store::*;
pub use self::stream::*;
pub use self::verify::*;
pub use self::writer::OutputLimits;
