//! What a list of jobs is restricted to.

use super::status::JobStatus;

/// Restricts a list of jobs; what is `None` restricts nothing.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Filter {
    /// Only jobs in this state.
    pub status: Option<JobStatus>,
    /// Only jobs that wait although the queue has given them up.
    pub dead_letter: bool,
    /// Only jobs of this kind.
    pub kind: Option<KindFilter>,
    /// Only jobs with such a title, of other kinds than the first.
    pub title: Option<TitleFilter>,
}

/// A kind of jobs, as it is stored.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum KindFilter {
    /// The first kind, whose jobs name none.
    First,
    /// Another kind.
    Named(String),
}

/// Titles of jobs.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum TitleFilter {
    /// This title.
    Is(String),
    /// Titles that begin with this one and a slash.
    Below(String),
}

impl Filter {
    /// Returns a text that no other filter has.
    pub(super) fn text(&self) -> String {
        let kind = match &self.kind {
            None => String::new(),
            Some(KindFilter::First) => "kind".to_owned(),
            Some(KindFilter::Named(kind)) => format!("kind {kind}"),
        };
        let title = match &self.title {
            None => String::new(),
            Some(TitleFilter::Is(title)) => format!("title {title}"),
            Some(TitleFilter::Below(title)) => format!("below {title}"),
        };
        let status = self.status.map_or("", JobStatus::as_str);
        let dead = if self.dead_letter { "dead" } else { "" };
        let more = [dead, &kind, &title].join("\0");
        if more.len() == 2 {
            // as earlier releases wrote it
            return status.to_owned();
        }
        format!("{status}\0{more}")
    }
}
