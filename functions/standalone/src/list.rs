//! `callboard list`: the jobs of a data folder, newest first.

use std::io::IsTerminal;
use std::process::ExitCode;

use callboard_api::JobListItem;
use callboard_core::base::id::JobId;
use callboard_core::base::time::{Clock, SystemClock};
use callboard_core::job::{Filter, HistoryQuery, JobStore, JobSummary, KindFilter, MAX_LIMIT, TitleFilter};
use callboard_core::request::Reason;

use crate::cli::ListArguments;
use crate::jobs::{Jobs, print};
use crate::kinds;
use crate::terminal::{tell, tell_none};

/// Prints a table, or one JSON object per line.
pub(crate) async fn list(arguments: &ListArguments) -> anyhow::Result<ExitCode> {
    let jobs = Jobs::open(&arguments.data)?;
    let (found, damaged) = newest(&jobs, arguments).await?;
    if found.is_empty() && damaged.is_empty() {
        tell_none("jobs", &arguments.tenant);
    }
    for id in damaged {
        tell(&format!(
            "callboard: the record of the job {id} is damaged; `callboard verify {id}` says what is left."
        ));
    }
    let text = if arguments.json || !std::io::stdout().is_terminal() {
        lines(found)?
    } else {
        table(&found)
    };
    print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the newest jobs that can be read, and the ids of those that cannot.
async fn newest(jobs: &Jobs, arguments: &ListArguments) -> anyhow::Result<(Vec<JobSummary>, Vec<JobId>)> {
    let (mut found, mut damaged, mut before) = (Vec::new(), Vec::new(), None);
    let mut left = arguments.limit;
    while left > 0 {
        let query = HistoryQuery {
            tenant: arguments.tenant.clone(),
            filter: Filter {
                status: arguments.status,
                dead_letter: arguments.dead_letter,
                kind: arguments.kind.as_ref().map(|kind| match kind.as_str() {
                    "ansible" => KindFilter::First,
                    kind => KindFilter::Named(kind.to_owned()),
                }),
                title: title(arguments),
            },
            limit: left.min(MAX_LIMIT),
            offset: 0,
            before,
        };
        let page = jobs.store.list(&query, SystemClock.now()).await?;
        before = page.next();
        found.extend(page.jobs);
        damaged.extend(page.damaged);
        left = if before.is_some() { left - query.limit } else { 0 };
    }
    Ok((found, damaged))
}

/// Returns which titles are asked for.
fn title(arguments: &ListArguments) -> Option<TitleFilter> {
    let service = arguments.service.as_ref()?;
    Some(match &arguments.operation {
        Some(operation) => TitleFilter::Is(format!("{service}/{operation}")),
        None => TitleFilter::Below(service.clone()),
    })
}

fn lines(jobs: Vec<JobSummary>) -> anyhow::Result<String> {
    let mut text = String::new();
    let kinds = kinds::shown();
    for job in jobs {
        text.push_str(&serde_json::to_string(&JobListItem::new(job, &kinds))?);
        text.push('\n');
    }
    Ok(text)
}

fn table(jobs: &[JobSummary]) -> String {
    let mut text = row("JOB", "STATUS", "CREATED", "SECONDS", "WHAT");
    for job in jobs {
        let span = job.started_at.zip(job.finished_at);
        let seconds = span.map(|(start, end)| format!("{:.1}", end.since(start).as_secs_f64()));
        let reason = job.reason.as_ref().map(Reason::as_str);
        let mut what = job.title.clone().unwrap_or_else(|| "(inline)".to_owned());
        if let Some(reason) = reason {
            what = format!("{what} ({reason})");
        }
        text.push_str(&row(
            &job.id.to_string(),
            job.status.as_str(),
            &job.created_at.to_string(),
            &seconds.unwrap_or_default(),
            &what,
        ));
    }
    text
}

fn row(id: &str, status: &str, created: &str, seconds: &str, what: &str) -> String {
    format!("{id:36}  {status:10}  {created:24}  {seconds:>8}  {what}\n")
}
