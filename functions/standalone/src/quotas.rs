//! `callboard quotas`: how much of its quotas a tenant uses.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use callboard_api::QuotasView;
use callboard_core::base::time::SystemClock;
use callboard_core::run::{Allowance, QuotaUse};
use callboard_embedded::{SqliteCounterStore, SqliteJobStore, SqliteSlotStore};

use crate::cli::{LogFormat, QuotasArguments};
use crate::jobs::print;
use crate::terminal::tell;
use crate::{logging, parts, setup};

/// Prints a table, or what the API answers.
pub(crate) async fn quotas(arguments: &QuotasArguments) -> anyhow::Result<ExitCode> {
    logging::start(LogFormat::Text, "warn");
    let quotas = setup::policies(arguments.policy.as_deref())?.every.quotas().clone();
    let database = parts::database_there(&setup::data_there(&arguments.data)?)?;
    let allowance = Allowance::new(
        Arc::new(SqliteJobStore::new(database.clone())),
        Arc::new(SqliteCounterStore::new(database.clone())),
        Arc::new(SqliteSlotStore::new(database)),
        quotas,
        Arc::new(SystemClock),
    );
    let tenant = &arguments.tenant;
    let used = allowance.used(tenant).await?;
    if !used.is_limited() {
        tell(&format!(
            "callboard: nothing is limited for the tenant {}; name the policy of the service with --policy.",
            tenant.as_str()
        ));
    }
    let text = if arguments.json || !std::io::stdout().is_terminal() {
        serde_json::to_string_pretty(&QuotasView::of(tenant, &used))? + "\n"
    } else {
        table(&used)
    };
    print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn table(used: &QuotaUse) -> String {
    let mut text = row("QUOTA", "LIMIT", "USED", "LEFT");
    for (name, used) in [
        ("running", used.running),
        ("waiting", used.waiting),
        ("submissions_per_minute", used.submissions_per_minute),
        ("stored_bytes", used.stored_bytes),
    ] {
        text.push_str(&match used {
            Some(quota) => {
                let [limit, used, left] = [quota.limit, quota.used, quota.left()].map(|amount| amount.to_string());
                row(name, &limit, &used, &left)
            }
            None => row(name, "-", "-", "-"),
        });
    }
    text.push_str(&format!("The next minute begins at {}.\n", used.next_minute_at));
    text
}

fn row(name: &str, limit: &str, used: &str, left: &str) -> String {
    format!("{name:24}{limit:>18}{used:>18}{left:>18}\n")
}
