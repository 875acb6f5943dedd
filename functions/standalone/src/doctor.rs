//! `callboard doctor`: reports what is wrong with an installation and how to fix it. It changes nothing.

mod contents;
mod data;
mod machine;
mod settings;
mod users;

use std::process::ExitCode;

use callboard_core::care::{Finding, Severity};

use crate::cli::DoctorArguments;
use crate::jobs::print;
use crate::{job_users, setup};

/// Checks everything and prints a line for each check; fails if there is a fault.
pub(crate) async fn doctor(arguments: &DoctorArguments) -> anyhow::Result<ExitCode> {
    let common = &arguments.common;
    let data = setup::data_path(&common.data)?;
    let mut findings = data::look(&data);
    findings.push(settings::policy(common));
    findings.push(settings::services(common));
    findings.push(settings::ansible(common).await);
    findings.push(machine::isolation());
    let users = job_users::find(arguments.isolated.job_user.as_ref(), arguments.load.workers);
    findings.extend(users::look(arguments, &users).await);
    findings.push(machine::jobs(arguments.isolated.isolation, users.ok().flatten()));
    findings.push(machine::work(&common.work));
    findings.push(machine::space(&[&data, &setup::cache(common)?, &common.work]));
    findings.push(machine::open_files(&arguments.load));
    let text: String = findings
        .iter()
        .map(|found| if arguments.json { line(found) } else { Ok(row(found)) })
        .collect::<Result<_, _>>()?;
    print(text.as_bytes())?;
    let is_fault = |found: &Finding| found.status == Severity::Fault;
    Ok(ExitCode::from(u8::from(findings.iter().any(is_fault))))
}

fn line(found: &Finding) -> serde_json::Result<String> {
    Ok(serde_json::to_string(found)? + "\n")
}

fn row(found: &Finding) -> String {
    let Finding { check, detail, .. } = found;
    let remedy = found.remedy.as_ref().map(|remedy| format!(" {remedy}"));
    let told = format!("{detail}{}", remedy.unwrap_or_default());
    // a library's message may have several lines
    let told = told.trim_end().replace('\n', "\n                      ");
    format!("{:8}  {check:12}{told}\n", found.status.as_str())
}
