//! The behaviour of every [`AuditLog`].

use anyhow::ensure;
use callboard_core::access::{Caller, Requester, Scopes};
use callboard_core::audit::{
    AuditCheck, AuditFilter, AuditLog, AuditOutcome, AuditPage, AuditProblem, AuditQuery, Deed, Entry, NewEntry,
};
use callboard_core::base::id::Tenant;
use callboard_core::base::time::Timestamp;
use futures_util::future::try_join_all;

use crate::contract::samples::{HOUR, now, tenant};

/// Expands into one test per behaviour; `$make` returns an empty log and whatever must outlive it.
#[macro_export]
macro_rules! audit_log_contract {
    ($make:path) => {
        $crate::contract_tests! { $make, audit_log, [
            an_entry_has_all_that_it_was_given,
            pages_have_every_entry_once_newest_first,
            a_filter_lets_through_what_fits_all_of_it,
            tenants_see_nothing_of_each_other_s_entries,
            entries_that_are_added_at_once_make_whole_chains,
        ] }
    };
}

/// Makes the entry of something that a caller with a name has done.
#[must_use]
pub fn done(tenant: &Tenant, name: &str, deed: Deed, object: &str) -> NewEntry {
    let caller = Caller {
        tenant: tenant.clone(),
        name: format!("key:{name}"),
        subject: format!("key:id-of-{name}"),
        scopes: Scopes::admin(),
        until: None,
        logs_in: false,
    };
    NewEntry::of(&Requester::of(caller), deed, Some(object.to_owned()))
}

/// Lists all entries of a tenant that pass a filter, page by page.
///
/// # Errors
/// The log cannot be read.
pub async fn all(log: &dyn AuditLog, tenant: &Tenant, filter: &AuditFilter, limit: u32) -> anyhow::Result<Vec<Entry>> {
    let (mut entries, mut after) = (Vec::new(), None);
    loop {
        let query = AuditQuery {
            tenant: tenant.clone(),
            filter: filter.clone(),
            limit,
            after,
        };
        let AuditPage { entries: some, next } = log.page(&query).await?;
        ensure!(
            some.len() <= limit as usize,
            "{} entries on a page of {limit}",
            some.len()
        );
        entries.extend(some);
        after = next;
        if after.is_none() {
            return Ok(entries);
        }
    }
}

/// What is written reads back, at the time when it was written.
///
/// # Errors
/// The behaviour is missing.
pub async fn an_entry_has_all_that_it_was_given(log: &dyn AuditLog) -> anyhow::Result<()> {
    let (tenant, before) = (tenant(), now());
    let new = NewEntry {
        problem: Some(AuditProblem {
            kind: "forbidden".to_owned(),
            status: Some(403),
        }),
        source_ip: Some("192.0.2.7".to_owned()),
        request_id: Some("request-1".to_owned()),
        left_out: 3,
        ..done(&tenant, "ci", Deed::KeyRevoke, "id")
    };
    log.append(new).await?;
    let entries = all(log, &tenant, &AuditFilter::default(), 10).await?;
    ensure!(entries.len() == 1, "{entries:?}");
    let entry = &entries[0];
    ensure!((before..=now()).contains(&entry.at), "{entry:?}");
    let expected = Entry {
        chain: entry.chain.clone(),
        number: entry.number,
        at: entry.at,
        tenant: tenant.as_str().to_owned(),
        by: Some("key:ci".to_owned()),
        subject: Some("key:id-of-ci".to_owned()),
        action: "key.revoke".to_owned(),
        object: Some("id".to_owned()),
        outcome: AuditOutcome::Refused,
        problem: Some("forbidden".to_owned()),
        status: Some(403),
        source_ip: Some("192.0.2.7".to_owned()),
        request_id: Some("request-1".to_owned()),
        left_out: 3,
        previous: entry.previous.clone(),
        sha256: entry.sha256.clone(),
    };
    assert_eq!(*entry, expected);
    Ok(())
}

/// Pages have every entry once, newest first, also while others are added.
///
/// # Errors
/// The behaviour is missing.
pub async fn pages_have_every_entry_once_newest_first(log: &dyn AuditLog) -> anyhow::Result<()> {
    let tenant = tenant();
    for number in 0..7 {
        log.append(done(&tenant, "ci", Deed::JobCancel, &number.to_string()))
            .await?;
        // entries of one millisecond have no order on DynamoDB
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let everything = AuditFilter::default();
    for limit in [1, 3, 7, 100] {
        let entries = all(log, &tenant, &everything, limit).await?;
        let objects: Vec<&str> = entries.iter().filter_map(|entry| entry.object.as_deref()).collect();
        assert_eq!(objects, ["6", "5", "4", "3", "2", "1", "0"], "{limit} at a time");
    }
    let mut query = AuditQuery {
        tenant: tenant.clone(),
        filter: everything,
        limit: 3,
        after: None,
    };
    query.after = log.page(&query).await?.next;
    log.append(done(&tenant, "ci", Deed::JobCancel, "7")).await?;
    let second = log.page(&query).await?.entries;
    let objects: Vec<&str> = second.iter().filter_map(|entry| entry.object.as_deref()).collect();
    assert_eq!(objects, ["3", "2", "1"]);
    Ok(())
}

/// A filter lets through what fits all of its parts.
///
/// # Errors
/// The behaviour is missing.
pub async fn a_filter_lets_through_what_fits_all_of_it(log: &dyn AuditLog) -> anyhow::Result<()> {
    let tenant = tenant();
    let refused = NewEntry {
        problem: Some(AuditProblem {
            kind: "request_invalid".to_owned(),
            status: None,
        }),
        ..done(&tenant, "ann", Deed::JobSubmit, "3")
    };
    for new in [
        done(&tenant, "ann", Deed::JobSubmit, "1"),
        done(&tenant, "bob", Deed::JobCancel, "1"),
        done(&tenant, "bob", Deed::KeyCreate, "2"),
        refused,
    ] {
        log.append(new).await?;
    }
    let text = |text: &str| Some(text.to_owned());
    let action = |text: &str| text.parse().ok();
    let none = AuditFilter::default;
    let cases: [(AuditFilter, usize); 12] = [
        (none(), 4),
        (
            AuditFilter {
                action: action("job.*"),
                ..none()
            },
            3,
        ),
        (
            AuditFilter {
                action: action("job.submit"),
                ..none()
            },
            2,
        ),
        (
            AuditFilter {
                by: text("key:bob"),
                ..none()
            },
            2,
        ),
        (
            AuditFilter {
                by: text("key:id-of-bob"),
                ..none()
            },
            2,
        ),
        (
            AuditFilter {
                by: text("bob"),
                ..none()
            },
            0,
        ),
        (
            AuditFilter {
                outcome: Some(AuditOutcome::Refused),
                ..none()
            },
            1,
        ),
        (
            AuditFilter {
                object: text("1"),
                ..none()
            },
            2,
        ),
        (
            AuditFilter {
                object: text("1"),
                action: action("job.cancel"),
                ..none()
            },
            1,
        ),
        (
            AuditFilter {
                since: Some(now() - HOUR),
                until: Some(now() + HOUR),
                ..none()
            },
            4,
        ),
        (
            AuditFilter {
                since: Some(now() + HOUR),
                ..none()
            },
            0,
        ),
        (
            AuditFilter {
                until: Some(now() - HOUR),
                ..none()
            },
            0,
        ),
    ];
    for (filter, expected) in cases {
        let found = all(log, &tenant, &filter, 1).await?;
        ensure!(found.len() == expected, "{filter:?}: {found:?}");
    }
    let newest: Timestamp = all(log, &tenant, &none(), 1).await?[0].at;
    let until = AuditFilter {
        until: Some(newest),
        ..none()
    };
    let before = all(log, &tenant, &until, 10).await?;
    ensure!(before.iter().all(|entry| entry.at < newest), "{before:?}");
    Ok(())
}

/// The entries of a tenant are not in the lists of others.
///
/// # Errors
/// The behaviour is missing.
pub async fn tenants_see_nothing_of_each_other_s_entries(log: &dyn AuditLog) -> anyhow::Result<()> {
    let (one, other) = (tenant(), tenant());
    log.append(done(&one, "ci", Deed::JobSubmit, "1")).await?;
    log.append(done(&other, "ci", Deed::JobSubmit, "2")).await?;
    for (tenant, object) in [(&one, "1"), (&other, "2")] {
        let entries = all(log, tenant, &AuditFilter::default(), 10).await?;
        ensure!(
            entries.len() == 1 && entries[0].object.as_deref() == Some(object),
            "{entries:?}"
        );
    }
    Ok(())
}

/// No two entries follow the same one, however many are added at once.
///
/// # Errors
/// The behaviour is missing.
pub async fn entries_that_are_added_at_once_make_whole_chains(log: &dyn AuditLog) -> anyhow::Result<()> {
    let tenant = tenant();
    let adds = (0..40).map(|number| log.append(done(&tenant, "ci", Deed::JobCancel, &number.to_string())));
    try_join_all(adds).await?;
    let entries = all(log, &tenant, &AuditFilter::default(), 100).await?;
    let lines = entries
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<Vec<_>, _>>()?;
    let found = AuditCheck::of_lines(lines.iter().map(String::as_str));
    ensure!(found.faults.is_empty() && found.notes.is_empty(), "{found:?}");
    assert_eq!((found.entries, found.chains), (40, 1));
    Ok(())
}
