//! Sessions of web pages: a cookie in place of a key.

use anyhow::{Context, ensure};
use callboard_tests::{Client, wait};
use futures_util::future::try_join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::access::{KEYS, is};

const SESSION: &str = "/api/v1/session";
const JOBS: &str = "/api/v1/jobs";

/// Starts what asks for keys; returns the operator, and the holder of a key that runs jobs and sees its own.
macro_rules! world {
    ($service:ident, $data:ident, $admin:ident, $holder:ident) => {
        let ($service, $data, admin) = crate::start_with_key().await?;
        let $admin = $service.client().showing(&admin);
        let scopes = ["jobs:run", "jobs:read[own]", "jobs:cancel[own]"];
        let $holder = $admin.make_key(&json!({"name": "page", "scopes": scopes})).await?;
    };
}

/// Returns the sessions of the operator's tenant.
async fn sessions(admin: &Client) -> anyhow::Result<Vec<Value>> {
    let listed = admin.get(&format!("{KEYS}?kind=session")).await?;
    ensure!(listed.status == 200, "{listed:?}");
    listed.body["keys"].as_array().cloned().context("a list")
}

async fn is_refused(client: &Client) -> anyhow::Result<()> {
    wait::until_async("the session is refused", async || {
        let answer = client.get(SESSION).await?;
        ensure!(answer.status == 200 || answer.status == 401, "{answer:?}");
        Ok(answer.status == 401)
    })
    .await
}

#[tokio::test]
async fn a_session_does_as_its_key_what_the_key_may_until_it_is_ended() -> anyhow::Result<()> {
    world!(service, _data, admin, holder);
    let begun = holder.send(holder.request(Method::POST, SESSION)).await?;
    let set = begun.header("set-cookie");
    for attribute in ["; HttpOnly", "; SameSite=Strict", "; Path=/", "; Max-Age="] {
        ensure!(set.contains(attribute), "{attribute}: {set}");
    }
    ensure!(
        begun.status == 201 && begun.header("cache-control") == "no-store",
        "{begun:?}"
    );
    let token = begun.body["csrf_token"].as_str().context("a token")?;
    let page = holder.with_cookie(begun.cookie().context("a cookie")?);
    let told = page.get(SESSION).await?;
    ensure!(told.status == 200 && told.body == begun.body, "{told:?}");
    ensure!(
        told.body["subject"] == "key:page" && told.body["tenant"] == "default",
        "{told:?}"
    );
    // the key itself is told the same of itself, and has no token
    let own = holder.get(SESSION).await?.body;
    ensure!(
        own["scopes"] == told.body["scopes"] && own.get("csrf_token").is_none(),
        "{own}"
    );
    let page = page.with_csrf_token(Some(token));
    let job = json!({"playbook": "hello.yml"});
    let first = page.post_once(JOBS, "of-both", &job).await?.body["job_id"].clone();
    let same = holder.post_once(JOBS, "of-both", &job).await?.body["job_id"].clone();
    ensure!(
        first.is_string() && first == same,
        "an idempotency key is the caller's: {first} {same}"
    );
    let record = holder.ended(first.as_str().unwrap_or_default()).await?;
    ensure!(record["submitted_by"] == "key:page", "{record}");
    let others = admin.submit(&job).await?;
    ensure!(is(&page.get(&format!("{JOBS}/{others}")).await?, 403, "forbidden"));

    let kept = sessions(&admin).await?;
    ensure!(
        kept.len() == 1 && kept[0]["kind"] == "session" && kept[0]["name"] == "key:page",
        "{kept:?}"
    );
    let id = kept[0]["id"].as_str().context("an id")?.to_owned();
    let keys = admin.get(KEYS).await?.body;
    ensure!(!keys.to_string().contains(&id), "{keys}");
    let rotated = admin.post(&format!("{KEYS}/{id}/rotate"), "{}").await?;
    ensure!(
        is(&rotated, 403, "forbidden"),
        "its secret is for its browser alone: {rotated:?}"
    );

    ensure!(is(&holder.delete(SESSION).await?, 404, "no-session"));
    let ended = page.delete(SESSION).await?;
    ensure!(
        ended.status == 204 && ended.header("set-cookie").contains("=; Path=/; Max-Age=0;"),
        "{ended:?}"
    );
    is_refused(&page).await?;
    ensure!(sessions(&admin).await?[0]["revoked_at"].is_string());
    ensure!(holder.get(SESSION).await?.status == 200);
    drop(service);
    Ok(())
}

#[tokio::test]
async fn what_changes_something_needs_the_session_s_own_csrf_token() -> anyhow::Result<()> {
    world!(_service, _data, _admin, holder);
    let (page, other) = (holder.begin_session().await?, holder.begin_session().await?);
    let body = json!({"playbook": "hello.yml"}).to_string();
    let longer = format!("{}0", page.csrf_token());
    for token in [
        None,
        Some(""),
        Some("0"),
        Some(other.csrf_token()),
        Some(&longer),
        Some(page.cookie()),
    ] {
        let page = page.with_csrf_token(token);
        for refused in [
            page.post(JOBS, body.clone()).await?,
            page.delete(SESSION).await?,
            page.delete(&format!("{JOBS}/01a1faf8-50a0-70a1-801c-2d3e4f506172"))
                .await?,
        ] {
            ensure!(is(&refused, 403, "csrf-token"), "{token:?}: {refused:?}");
        }
        ensure!(page.get(SESSION).await?.status == 200, "what only reads needs none");
    }
    let from = |name: &str, value: &str| {
        let request = page
            .request(Method::POST, JOBS)
            .header("content-type", "application/json");
        page.send(request.header(name, value).body(body.clone()))
    };
    for site in ["cross-site", "same-site"] {
        let answer = from("sec-fetch-site", site).await?;
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        // its token is right, and does not help
        ensure!(
            is(&answer, 403, "csrf-token") && detail.contains("another origin") && !detail.contains("csrf_token"),
            "{answer:?}"
        );
    }
    ensure!(is(
        &from("origin", "https://evil.example").await?,
        403,
        "origin-not-allowed"
    ));
    ensure!(from("sec-fetch-site", "same-origin").await?.status == 202);
    Ok(())
}

#[tokio::test]
async fn a_cookie_counts_where_nothing_else_is_shown_and_is_no_key() -> anyhow::Result<()> {
    world!(service, _data, _admin, holder);
    let page = holder.begin_session().await?;
    let (name, secret) = page.cookie().split_once('=').context("a cookie")?;
    // with a key, no token is needed; with a wrong one, the cookie does not help
    let both = page.with_csrf_token(None).showing(holder.key());
    ensure!(both.delete(SESSION).await?.body["type"] == "urn:callboard:problem:no-session");
    ensure!(is(
        &page.showing("cbk_wrong").get(SESSION).await?,
        401,
        "unauthenticated"
    ));
    let nobody = service.client();
    ensure!(is(&nobody.showing(secret).get(SESSION).await?, 401, "unauthenticated"));
    for cookie in [
        format!("{name}={}", holder.key()),
        format!("{name}="),
        format!("{name}={secret}; {name}={secret}"),
        format!("other={secret}"),
    ] {
        let answer = nobody.with_cookie(&cookie).get(SESSION).await?;
        ensure!(is(&answer, 401, "unauthenticated"), "{cookie}: {answer:?}");
    }
    let among_others = nobody.with_cookie(&format!("a=1; {name}={secret}; b=2"));
    ensure!(among_others.get(SESSION).await?.status == 200);
    ensure!(
        is(&page.post(SESSION, "").await?, 403, "forbidden"),
        "a session begins no other"
    );
    Ok(())
}

#[tokio::test]
async fn a_session_ends_with_its_key_or_where_it_is_revoked() -> anyhow::Result<()> {
    world!(_service, _data, admin, holder);
    let (page, other) = (holder.begin_session().await?, holder.begin_session().await?);
    for session in sessions(&admin).await? {
        ensure!(session["expires_at"].is_string(), "{session}");
    }
    let first = sessions(&admin).await?[0]["id"].as_str().context("an id")?.to_owned();
    ensure!(admin.delete(&format!("{KEYS}/{first}")).await?.status == 200);
    wait::until_async("one of both is refused", async || {
        let statuses = [page.get(SESSION).await?.status, other.get(SESSION).await?.status];
        Ok(statuses.iter().filter(|status| **status == 401).count() == 1)
    })
    .await?;
    let keys = admin.get(KEYS).await?.body;
    let keys = keys["keys"].as_array().context("keys")?;
    let key = keys.iter().find(|key| key["name"] == "page").context("the holder's")?;
    let path = format!("{KEYS}/{}", key["id"].as_str().unwrap_or_default());
    ensure!(admin.delete(&path).await?.status == 200);
    is_refused(&page).await?;
    is_refused(&other).await
}

/// Sets back when the session was made, since the service replaces what is older than an hour.
#[tokio::test]
async fn of_ten_requests_at_once_one_gets_the_session_s_next_cookie() -> anyhow::Result<()> {
    world!(service, data, admin, holder);
    let page = holder.begin_session().await?;
    let id = sessions(&admin).await?[0]["id"].as_str().context("an id")?.to_owned();
    crate::set_back(&service, data.path(), &id).await?;
    let asked = try_join_all((0..10).map(|_| page.get(SESSION))).await?;
    ensure!(asked.iter().all(|answer| answer.status == 200), "{asked:?}");
    let cookies: Vec<&str> = asked.iter().filter_map(|answer| answer.cookie()).collect();
    ensure!(
        cookies.len() == 1 && cookies[0] != page.cookie(),
        "{} cookies",
        cookies.len()
    );
    let renewed = page.with_cookie(cookies[0]);
    let told = renewed.get(SESSION).await?;
    ensure!(told.status == 200 && told.cookie().is_none(), "{told:?}");
    ensure!(
        told.body["csrf_token"] == page.csrf_token(),
        "other pages know the token: {told:?}"
    );
    ensure!(sessions(&admin).await?.len() == 1, "it is the same session");
    ensure!(
        page.get(SESSION).await?.status == 200,
        "what is on its way is answered for a minute"
    );
    ensure!(renewed.submit(&json!({"playbook": "hello.yml"})).await.is_ok());
    Ok(())
}

#[tokio::test]
async fn a_caller_begins_twenty_sessions_in_a_minute_and_no_more() -> anyhow::Result<()> {
    world!(_service, _data, admin, holder);
    wait::until_async("sessions are refused", async || {
        let answer = holder.send(holder.request(Method::POST, SESSION)).await?;
        ensure!(
            answer.status == 201 || is(&answer, 429, "too-many-sessions"),
            "{answer:?}"
        );
        Ok(answer.status == 429)
    })
    .await?;
    ensure!(
        holder.get(SESSION).await?.status == 200,
        "the key itself is not refused"
    );
    ensure!(admin.begin_session().await.is_ok(), "nor are others");
    Ok(())
}

#[tokio::test]
async fn a_cookie_and_its_token_are_kept_nowhere_and_no_answer_quotes_them() -> anyhow::Result<()> {
    world!(service, data, admin, holder);
    let page = holder.begin_session().await?;
    let record = page.run(&json!({"playbook": "hello.yml"})).await?;
    let (_, cookie) = page.cookie().split_once('=').context("a cookie")?;
    let secrets = [
        cookie.get(17..49).context("the cookie's secret")?,
        page.csrf_token(),
        holder.key().get(17..49).context("the key's secret")?,
    ];
    let mut answers = vec![record, admin.get(&format!("{KEYS}?kind=session")).await?.body];
    answers.push(page.with_csrf_token(Some("wrong")).post(JOBS, "{}").await?.body);
    answers.push(
        page.with_cookie(&format!("{}x", page.cookie()))
            .get(SESSION)
            .await?
            .body,
    );
    answers.push(page.post(JOBS, r#"{"playbook": 7}"#).await?.body);
    answers.push(page.delete(SESSION).await?.body);
    for secret in secrets {
        let quotes = answers.iter().find(|answer| answer.to_string().contains(secret));
        ensure!(quotes.is_none(), "{quotes:?}");
        ensure!(
            !crate::keeps(&service, data.path(), secret).await?,
            "a secret of {} characters is kept",
            secret.len()
        );
    }
    Ok(())
}
