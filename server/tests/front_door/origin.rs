//! Another site cannot open a socket here, least of all with a visitor's cookie.

use crate::support::{TestServer, visitor};
use server::config::Serve;

#[tokio::test]
async fn a_forged_origin_is_refused_before_the_upgrade() {
    let server = TestServer::start().await;
    let host = server.host();
    let port = host.rsplit(':').next().expect("a port");
    for forged in [
        "null".to_owned(),
        "http://evil.example".to_owned(),
        format!("http://evil.{host}"),
        format!("http://{host}.evil.example"),
        format!("http://{host}@evil.example"),
        format!("http://evil.example/http://{host}"),
        format!("http://{host}/"),
        format!("http://{host}0"),
        format!("http://localhost:{port}"),
        "http://127.0.0.1".to_owned(),
        "http://127.0.0.1:1".to_owned(),
        format!("https://{host}"),
        format!("ws://{host}"),
        host.clone(),
        String::new(),
        format!("http://{host} http://evil.example"),
    ] {
        for cookie in [None, Some(visitor(1))] {
            let mut headers = vec![("origin", forged.as_str())];
            headers.extend(cookie.as_deref().map(|cookie| ("cookie", cookie)));
            let answer = server.knock("room=x", &headers).await;
            assert_eq!(answer.status, 403, "{forged}");
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert!(answer.text().contains("TAPROOM_ORIGINS"), "it says what to set: {}", answer.text());
        }
    }
    let mut list = server.connect("room=x").await;
    assert_eq!(list.users().await.users.len(), 1, "none of them came in");
}

#[tokio::test]
async fn a_cookie_without_an_origin_is_refused() {
    let server = TestServer::start().await;
    assert_eq!(server.knock("room=x", &[("cookie", &visitor(1))]).await.status, 403);
}

#[tokio::test]
async fn the_own_origin_is_let_in_with_and_without_a_cookie_and_so_is_a_program() {
    let server = TestServer::start().await;
    let origin = server.origin();
    assert_eq!(server.knock("room=x", &[("origin", &origin), ("cookie", &visitor(1))]).await.status, 101);
    assert_eq!(server.knock("room=x", &[("origin", &origin)]).await.status, 101);
    assert_eq!(server.knock("room=x", &[("origin", &origin.to_uppercase())]).await.status, 101);
    assert_eq!(server.knock("room=x", &[]).await.status, 101);
}

#[tokio::test]
async fn behind_a_proxy_that_speaks_tls_the_origin_is_https() {
    let server = TestServer::start().await;
    let (secure, plain) = (format!("https://{}", server.host()), server.origin());
    for (origin, status) in [(&secure, 101), (&plain, 403)] {
        let headers = [("origin", origin.as_str()), ("x-forwarded-proto", "https")];
        assert_eq!(server.knock("room=x", &headers).await.status, status, "{origin}");
    }
}

#[tokio::test]
async fn listed_origins_are_let_in_and_no_others() {
    let origins = vec!["https://chat.example".to_owned(), "http://10.0.0.1:3000".to_owned()];
    let server = TestServer::start_with(&Serve { origins, ..Serve::default() }).await;
    for (origin, status) in [
        ("https://chat.example", 101),
        ("https://CHAT.example", 101),
        ("http://10.0.0.1:3000", 101),
        ("http://chat.example", 403),
        ("https://chat.example:8443", 403),
        ("https://chat.example.evil", 403),
        (server.origin().as_str(), 403),
    ] {
        assert_eq!(server.knock("room=x", &[("origin", origin)]).await.status, status, "{origin}");
    }
}

#[tokio::test]
async fn a_visitor_cookie_of_a_foreign_shape_is_nobody() {
    let server = TestServer::start().await;
    let origin = server.origin();
    for forged in ["taproom_visitor=admin", "taproom_visitor=", "taproom_visitor=00000000000000000000000000000001x"] {
        let mut tabs = Vec::new();
        for _ in 0..2 {
            tabs.push(server.connect_with("room=x", &[("origin", &origin), ("cookie", forged)]).await);
        }
        let (one, two) = (tabs[0].status().await.name, tabs[1].status().await.name);
        assert_ne!(one, two, "{forged} makes nobody one person");
    }
}
