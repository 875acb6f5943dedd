use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

type Tested = Result<(), Box<dyn std::error::Error>>;

/// Starts a server that answers every connection with what it was sent, up to an empty line.
async fn echo() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut read = Vec::new();
            while !read.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => read.push(byte),
                    Err(_) => break,
                }
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                read.len()
            );
            drop(stream.write_all(&[head.as_bytes(), &read].concat()).await);
        }
    });
    Ok(port)
}

/// Sends a text to a proxy and returns everything that comes back.
async fn ask(egress: &Egress, login: Option<&str>, line: &str, then: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, egress.port)).await?;
    let login = login.map(|login| format!("proxy-authorization: Basic {}\r\n", STANDARD.encode(login)));
    let head = format!(
        "{line} HTTP/1.1\r\nhost: somewhere\r\n{}connection: close\r\n\r\n",
        login.unwrap_or_default()
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    if !then.is_empty() {
        while !answer.ends_with("\r\n\r\n") {
            answer.push(char::from(stream.read_u8().await?));
        }
        stream.write_all(then.as_bytes()).await?;
    }
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Makes a proxy connect to a port of this machine and sends a text there; returns everything that comes back.
async fn tunnel(egress: &Egress, login: &str, port: u16) -> io::Result<String> {
    let line = format!("CONNECT 127.0.0.1:{port}");
    ask(egress, Some(login), &line, "anything\r\n\r\n").await
}

/// Allows this machine to `git`, the public internet to `url`, and nothing to others.
fn permit() -> Box<Permit> {
    Box::new(|user, host, port| match user {
        "git" if host == "127.0.0.1" => Ok(Access::Any),
        "url" => Ok(Access::Public(format!("ask for {host}"))),
        _ => Err(format!("{host}:{port} is not for {user}")),
    })
}

#[tokio::test]
async fn what_is_allowed_is_reached_and_the_secret_stays_here() -> Tested {
    let (port, egress) = (
        echo().await?,
        Egress::behind(Matcher::builder().build(), permit()).await?,
    );
    let login = format!("git:{}", egress.secret);
    let line = format!("GET http://127.0.0.1:{port}/a?b");
    let forwarded = ask(&egress, Some(&login), &line, "").await?;
    assert!(
        forwarded.starts_with("HTTP/1.1 200") && forwarded.contains("GET /a?b HTTP/1.1"),
        "{forwarded}"
    );
    assert!(
        forwarded.contains(&format!("host: 127.0.0.1:{port}")) && !forwarded.contains("proxy-"),
        "{forwarded}"
    );
    let tunnelled = tunnel(&egress, &login, port).await?;
    assert!(
        tunnelled.starts_with("HTTP/1.1 200") && tunnelled.ends_with("\r\n\r\nanything\r\n\r\n"),
        "{tunnelled}"
    );
    assert!(egress.refusals().is_empty());
    Ok(())
}

#[tokio::test]
async fn all_else_is_refused_and_noted_with_its_reason() -> Tested {
    let (port, egress) = (
        echo().await?,
        Egress::behind(Matcher::builder().build(), permit()).await?,
    );
    let of = |user: &str| format!("{user}:{}", egress.secret);
    let here = format!("127.0.0.1:{port}");
    for (login, line, status) in [
        (None, format!("CONNECT {here}"), 407),
        (Some("git:guessed".to_owned()), format!("CONNECT {here}"), 407),
        (Some(of("other")), format!("CONNECT {here}"), 403),
        (Some(of("url")), format!("CONNECT {here}"), 403),
        (Some(of("url")), format!("CONNECT localhost:{port}"), 403),
        (Some(of("url")), format!("CONNECT 0x7f.1:{port}"), 403),
        (Some(of("url")), format!("GET http://2130706433:{port}/"), 403),
        (Some(of("git")), "CONNECT 169.254.169.254:80".to_owned(), 403),
        (Some(of("url")), "CONNECT 169.254.169.254:80".to_owned(), 403),
        (Some(of("url")), "CONNECT [::ffff:169.254.169.254]:80".to_owned(), 403),
        (Some(of("url")), format!("GET ftp://{here}/"), 400),
        (Some(of("url")), "GET /".to_owned(), 400),
        (Some(of("git")), "CONNECT 127.0.0.1:1".to_owned(), 502),
        (Some(of("url")), "CONNECT no-such-host.invalid:443".to_owned(), 502),
    ] {
        let answer = ask(&egress, login.as_deref(), &line, "").await?;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{login:?} {line}: {answer}"
        );
    }
    let refusals = egress.refusals();
    for told in [
        format!("{here} is not for other"),
        "127.0.0.1 has an address that is not public; ask for 127.0.0.1".to_owned(),
        "localhost has an address that is not public; ask for localhost".to_owned(),
    ] {
        assert!(refusals.contains(&told), "{told}: {refusals:?}");
    }
    assert!(
        refusals
            .iter()
            .all(|told| !told.contains("169.254") || !told.contains("ask for")),
        "{refusals:?}"
    );
    Ok(())
}

#[tokio::test]
async fn the_operators_proxy_is_gone_through_with_its_login() -> Tested {
    let port = echo().await?;
    let operators = Egress::behind(Matcher::builder().build(), permit()).await?;
    let upstream = Matcher::builder().all(operators.address("git")).no("127.0.0.2").build();
    let egress = Egress::behind(upstream, Box::new(|_, _, _| Ok(Access::Any))).await?;
    let login = format!("any:{}", egress.secret);
    let forwarded = ask(&egress, Some(&login), &format!("GET http://127.0.0.1:{port}/x"), "").await?;
    assert!(
        forwarded.contains("GET /x HTTP/1.1") && !forwarded.contains("proxy-"),
        "{forwarded}"
    );
    let tunnelled = tunnel(&egress, &login, port).await?;
    assert!(tunnelled.ends_with("\r\n\r\nanything\r\n\r\n"), "{tunnelled}");
    // 127.0.0.1 is the only host that the operator's proxy allows
    assert!(
        ask(&egress, Some(&login), "CONNECT 127.0.0.3:1", "")
            .await?
            .starts_with("HTTP/1.1 502")
    );
    assert_eq!(operators.refusals(), ["127.0.0.3:1 is not for git"]);
    Ok(())
}

#[tokio::test]
async fn a_proxy_that_is_dropped_takes_its_tunnels_with_it() -> Tested {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let egress = Egress::behind(Matcher::builder().build(), permit()).await?;
    let login = STANDARD.encode(format!("git:{}", egress.secret));
    let mut near = TcpStream::connect((Ipv4Addr::LOCALHOST, egress.port)).await?;
    let head = format!(
        "CONNECT {} HTTP/1.1\r\nproxy-authorization: Basic {login}\r\n\r\n",
        listener.local_addr()?
    );
    near.write_all(head.as_bytes()).await?;
    let (mut far, _) = listener.accept().await?;
    near.write_all(b"!").await?;
    assert_eq!(far.read_u8().await?, b'!');
    drop(egress);
    assert_eq!(far.read(&mut [0]).await.unwrap_or(0), 0);
    Ok(())
}
