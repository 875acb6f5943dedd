//! Lanes: which workers take a job.

/// Which workers take a job.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Lane {
    /// Those that run programs: each takes one job at a time.
    #[default]
    Programs,
    /// Those that call something and wait for its answer: each takes many jobs at a time.
    Calls,
}

impl Lane {
    /// Every lane.
    pub const ALL: [Self; 2] = [Self::Programs, Self::Calls];

    /// Returns the word that stores use; `None` for the first lane, as earlier releases wrote it.
    #[must_use]
    pub fn stored(self) -> Option<&'static str> {
        match self {
            Self::Programs => None,
            Self::Calls => Some("calls"),
        }
    }

    /// Returns the lane that a stored word denotes. A word of a newer release is taken for the first lane, whose workers say so.
    #[must_use]
    pub fn of_stored(word: Option<&str>) -> Self {
        match word {
            Some("calls") => Self::Calls,
            _ => Self::Programs,
        }
    }
}
