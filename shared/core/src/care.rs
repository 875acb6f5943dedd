//! Everything done with jobs besides running them: canceling, redriving, the sweep.

mod damage;
mod doubt;
mod finding;
mod redrive;
mod seen;
mod sweep;

pub use self::damage::*;
pub use self::doubt::*;
pub use self::finding::*;
pub use self::redrive::*;
pub use self::sweep::*;
