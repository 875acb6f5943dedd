//! What is fetched, and what is refused.

mod refused;
mod server;

use std::time::Duration;

use callboard_http::{Client, FetchError, Guard, Limits, get};
use http::{HeaderMap, HeaderValue, Request};

use crate::server::{Answer, Server};

const LIMITS: Limits = Limits {
    max_bytes: 16,
    timeout: Duration::from_secs(30),
};
const SECRET: &str = "s3cr3t-value";

fn here() -> Guard {
    Guard::allowing(|host| host == "127.0.0.1")
}

fn headers() -> HeaderMap {
    HeaderMap::from_iter([(http::header::AUTHORIZATION, HeaderValue::from_static(SECRET))])
}

async fn fetch(server: &Server, path: &str) -> Result<Vec<u8>, FetchError> {
    get(&server.url(path), &headers(), LIMITS, &here()).await
}

/// Returns what an error says.
fn refusal<T>(result: Result<T, FetchError>) -> String {
    result
        .err()
        .map_or_else(|| "nothing".to_owned(), |error| error.to_string())
}

fn whole(body: &str) -> Answer {
    let length = body.len();
    Answer(
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"),
        true,
    )
}

fn redirect(to: &str) -> Answer {
    Answer(
        format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"),
        true,
    )
}

#[tokio::test]
async fn an_answer_is_had_with_the_headers_given_across_redirects_of_its_host() -> anyhow::Result<()> {
    let server = Server::start(|path| match path {
        "/a?x=1" => redirect("/b"),
        "/b" => redirect("c"),
        "/c" => redirect("/d"),
        _ => whole("hosts"),
    })
    .await?;
    assert_eq!(fetch(&server, "/a?x=1").await?, b"hosts");
    let heads = server.heads();
    assert_eq!(heads.len(), 4);
    for head in heads {
        let head = head.to_lowercase();
        assert!(head.contains(&format!("authorization: {SECRET}")), "{head}");
        assert!(head.contains("user-agent: callboard/"), "{head}");
        assert!(!head.contains("accept-encoding"), "{head}");
    }
    Ok(())
}

#[tokio::test]
async fn a_redirect_to_another_host_port_or_scheme_is_not_followed() -> anyhow::Result<()> {
    let other = Server::start(|_path| whole("never")).await?;
    let port = other.port;
    let server = Server::start(move |path| match path {
        "/port" => redirect(&format!("http://127.0.0.1:{port}/")),
        "/host" => redirect(&format!("http://localhost:{port}/")),
        _ => redirect("ftp://127.0.0.1/"),
    })
    .await?;
    for path in ["/port", "/host", "/scheme"] {
        let refused = "127.0.0.1 redirects to another host, port or scheme, which is not followed";
        assert_eq!(refusal(fetch(&server, path).await), refused, "{path}");
    }
    assert_eq!(other.heads(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn redirects_without_end_are_left_after_three() -> anyhow::Result<()> {
    let server = Server::start(|_path| redirect("/again")).await?;
    assert_eq!(
        refusal(fetch(&server, "/").await),
        "127.0.0.1 redirects more than 3 times"
    );
    assert_eq!(server.heads().len(), 4);
    Ok(())
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_or_not_it_says_its_length() -> anyhow::Result<()> {
    let server = Server::start(|path| match path {
        "/exact" => whole(&"x".repeat(16)),
        "/said" => Answer("HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n".to_owned(), false),
        "/chunked" => Answer(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n12345678901234567\r\n".to_owned(),
            false,
        ),
        _ => Answer(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(17)), false),
    })
    .await?;
    assert_eq!(fetch(&server, "/exact").await?.len(), 16);
    for path in ["/said", "/chunked", "/until_closed"] {
        let refused = "127.0.0.1 answered with more than 16 bytes";
        assert_eq!(refusal(fetch(&server, path).await), refused, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_does_not_finish_is_left() -> anyhow::Result<()> {
    let server = Server::start(|path| match path {
        "/silent" => Answer(String::new(), false),
        _ => Answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal".to_owned(), false),
    })
    .await?;
    let limits = Limits {
        timeout: Duration::from_millis(100),
        ..LIMITS
    };
    for path in ["/silent", "/half"] {
        let fetched = get(&server.url(path), &headers(), limits, &here()).await;
        assert_eq!(refusal(fetched), "127.0.0.1 did not answer in time", "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn an_error_names_the_host_and_nothing_that_could_be_secret() -> anyhow::Result<()> {
    let server = Server::start(|path| match path.split('?').next() {
        Some("/404") => Answer(
            "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nbody".to_owned(),
            true,
        ),
        Some("/broken") => Answer("not HTTP at all".to_owned(), true),
        _ => Answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal".to_owned(), true),
    })
    .await?;
    for (path, sentence) in [
        ("/404", "127.0.0.1 answered with status 404"),
        ("/broken", "127.0.0.1 cannot be reached"),
        ("/cut_off", "127.0.0.1 cannot be reached"),
    ] {
        let fetched = fetch(&server, &format!("{path}?token={SECRET}")).await;
        assert!(!format!("{fetched:?}").contains(SECRET), "{fetched:?}");
        assert_eq!(refusal(fetched), sentence);
    }
    Ok(())
}

#[tokio::test]
async fn a_trusted_client_returns_answers_of_any_status_and_follows_nothing() -> anyhow::Result<()> {
    let server = Server::start(|path| match path {
        "/large" => whole(&"x".repeat(17)),
        _ => redirect("/large"),
    })
    .await?;
    let client = Client::new(LIMITS)?;
    let question = |path| Request::post(server.url(path)).body(b"question".to_vec());
    let answer = client.send(question("/")?).await?;
    assert_eq!(answer.status(), 302);
    assert_eq!(
        answer.headers().get("location").map(HeaderValue::as_bytes),
        Some(&b"/large"[..])
    );
    let refused = "127.0.0.1 answered with more than 16 bytes";
    assert_eq!(refusal(client.send(question("/large")?).await), refused);
    Ok(())
}
