//! The site: pages that are right at the first byte, headers, health, and history over HTTP.

use crate::support::{Answer, TestServer, in_url, unhurried, visitor};
use app::protocol::{Event, Page, Seq};

// Pages

#[tokio::test]
async fn the_first_html_has_the_newest_50_messages_and_the_people() {
    let server = TestServer::start_with(&unhurried()).await;
    let mut ada = server.connect("room=x&name=Adelheid").await;
    ada.users().await;
    let mut ids = Vec::new();
    for number in 1..=60 {
        ids.push(ada.say(&format!("message number {number}.")).await);
    }
    ada.ack(ids[59]).await;
    let page = server.get("/r/x").await;
    assert_eq!(page.status, 200);
    let html = page.text();
    let rows: Vec<usize> = ids.iter().map(|id| html.matches(&format!("data-id=\"{id}\"")).count()).collect();
    assert_eq!(rows, [vec![0; 10], vec![1; 50]].concat());
    assert!(html.contains("message number 60.") && html.contains("message number 11."));
    assert!(!html.contains("message number 10."));
    let people = html.split("<aside").nth(1).and_then(|rest| rest.split("</aside>").next()).expect("the people");
    assert!(people.contains("Adelheid") && people.contains("Online: 1"), "{people}");
}

#[tokio::test]
async fn a_permalink_shows_the_stretch_around_its_message_which_is_marked() {
    let server = TestServer::start_with(&unhurried()).await;
    let mut ada = server.connect("room=x&name=ada").await;
    let mut ids = Vec::new();
    for number in 1..=200 {
        ids.push(ada.say(&format!("message number {number}.")).await);
    }
    ada.ack(ids[199]).await;
    for (address, seq) in [("/r/x/m/100", 100), ("/r/x/m/1", 1), ("/r/x/m/200", 200), ("/?room=x&m=100", 100)] {
        let page = server.get(address).await;
        assert_eq!(page.status, 200, "{address}");
        let html = page.text();
        let marked: Vec<&str> = html.split("<li ").filter(|row| row.contains("aria-current=\"true\"")).collect();
        let [row] = marked[..] else { panic!("{address}: {} rows are marked", marked.len()) };
        assert!(row.contains(ids[seq - 1].as_str()) && row.contains("autofocus"), "{address}: {row}");
        assert!(html.contains(&format!("href=\"/r/x/m/{seq}\"")), "{address}: its time leads to it");
        let shown = ids.iter().filter(|id| html.contains(&format!("data-id=\"{id}\""))).count();
        assert_eq!(shown, 50, "{address}");
    }
}

#[tokio::test]
async fn a_permalink_to_nothing_says_so_and_leads_to_the_room() {
    let server = TestServer::start().await;
    let room = in_url("<b>&co");
    let mut ada = server.connect(&format!("room={room}")).await;
    let id = ada.say("the only one").await;
    ada.ack(id).await;
    for seq in ["0", "2", "one", "-1", "1.0", "%20", "18446744073709551615", "18446744073709551616"] {
        let page = server.get(&format!("/r/{room}/m/{seq}")).await;
        assert_eq!(page.status, 404, "{seq}");
        let html = page.text();
        assert!(html.contains("This message is not here (yet)."), "{seq}: {html}");
        assert!(html.contains(&format!("href=\"/r/{room}\"")) && !html.contains("<b>&"), "{seq}: {html}");
    }
    assert_eq!(server.get(&format!("/?room={room}&m=7")).await.status, 404);
    assert_eq!(server.get("/r/%0a/m/1").await.status, 404);
    let answer = server.get(&format!("/r/{room}/m/1/")).await;
    assert_eq!((answer.status, answer.header("location")), (308, format!("/r/{room}/m/1").as_str()));
}

#[tokio::test]
async fn the_socket_names_the_build_that_made_the_page() {
    let server = TestServer::start().await;
    let status = server.connect("room=x").await.status().await;
    assert!(status.build.starts_with(env!("CARGO_PKG_VERSION")), "{}", status.build);
    assert!(server.get("/r/x").await.text().contains(&status.build));
}

#[tokio::test]
async fn what_people_write_is_text_and_never_markup() {
    let server = TestServer::start().await;
    let (script, bold) = ("<script>alert(1)</script>", "<b>bold</b>");
    let room = "</title><img src=x>";
    let mut client = server.connect(&format!("room={}&name={}", in_url(room), in_url(bold))).await;
    for words in [script, "\"><img src=x onerror=alert(2)>", "</script><script>alert(3)</script>"] {
        let id = client.say(words).await;
        client.ack(id).await;
    }
    let page = server.get(&format!("/r/{}", in_url(room))).await;
    assert_eq!(page.status, 200);
    let html = page.text();
    for markup in ["<script>alert", "<b>bold", "<img src=x", "</title><img"] {
        assert!(!html.contains(markup), "{markup} in {html}");
    }
    for text in ["&lt;script&gt;alert(1)", "&lt;b&gt;bold"] {
        assert!(html.contains(text), "no {text} in {html}");
    }
}

#[tokio::test]
async fn scripts_carry_a_nonce_that_is_never_the_same_twice() {
    let server = TestServer::start().await;
    let mut nonces = Vec::new();
    for _ in 0..3 {
        let page = server.get("/").await;
        let policy = page.header("content-security-policy").to_owned();
        let nonce =
            policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).expect("a nonce").to_owned();
        assert!(
            nonce.len() >= 16 && !policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"),
            "{policy}"
        );
        let scripts: Vec<&str> = page.text().split("<script").skip(1).collect();
        assert!(!scripts.is_empty());
        for script in scripts {
            let tag = script.split('>').next().expect("a tag");
            assert!(tag.contains(&format!("nonce=\"{nonce}\"")), "{tag}");
        }
        assert!(!page.text().contains(" style=\"") && !page.text().contains(" onclick="), "nothing inline");
        nonces.push(nonce);
    }
    nonces.dedup();
    assert_eq!(nonces.len(), 3);
}

#[tokio::test]
async fn a_new_visitor_gets_a_cookie_that_scripts_cannot_read_and_an_old_one_keeps_theirs() {
    let server = TestServer::start().await;
    let (first, second) = (server.get("/").await, server.get("/r/x").await);
    let cookie = first.header("set-cookie");
    let (pair, attributes) = cookie.split_once("; ").expect("attributes");
    let id = pair.strip_prefix("taproom_visitor=").expect("its name");
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="] {
        assert!(attributes.contains(attribute), "{attributes}");
    }
    assert!(!attributes.contains("Secure") && !attributes.contains("Domain"), "{attributes}");
    assert_ne!(second.header("set-cookie").split(';').next(), Some(pair), "each visitor has their own");

    let secure = server.ask("GET", "/", &[("x-forwarded-proto", "https")]).await;
    assert!(secure.header("set-cookie").contains("Secure"));
    let again = server.ask("GET", "/", &[("cookie", pair)]).await;
    assert!(!again.headers.contains_key("set-cookie"));
    let forged = server.ask("GET", "/", &[("cookie", "taproom_visitor=me")]).await;
    assert!(forged.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn the_first_html_knows_the_readers_name_and_colours() {
    let server = TestServer::start().await;
    let cookie = format!("{}; taproom_name=Ad%C3%A9laide; taproom_theme=dark", visitor(1));
    let page = server.ask("GET", "/", &[("cookie", &cookie)]).await;
    assert!(page.text().contains("Adélaide") && page.text().contains("data-theme=\"dark\""));
    for nonsense in ["taproom_theme=plaid; taproom_name=%FF", "taproom_theme=\"><script>; taproom_name=%00"] {
        let page = server.ask("GET", "/", &[("cookie", nonsense)]).await;
        assert_eq!(page.status, 200);
        assert!(page.text().contains("data-theme=\"auto\""));
    }
}

#[tokio::test]
async fn every_way_to_a_room_leads_to_it_and_bad_names_to_a_page_that_says_so() {
    let server = TestServer::start().await;
    let title = |page: &Answer| {
        let title = page.text().split("<title>").nth(1).and_then(|rest| rest.split("</title>").next());
        title.expect("a title").to_owned()
    };
    for (path, room) in [
        ("/", "default"),
        ("/?room=", "default"),
        ("/?room=%20", "default"),
        ("/?room=lounge", "lounge"),
        ("/r/lounge", "lounge"),
        ("/r/caf%C3%A9", "café"),
    ] {
        let page = server.get(path).await;
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"), "{path}");
        assert!(title(&page).contains(&format!("#{room} ")), "{path}: {}", title(&page));
        assert_eq!(page.header("cache-control"), "private, no-store");
    }
    let too_long = "r".repeat(65);
    for path in [format!("/r/{too_long}"), format!("/?room={too_long}"), "/r/a%00b".to_owned(), "/r/%20".to_owned()] {
        let page = server.get(&path).await;
        assert_eq!((page.status, page.header("content-type")), (404, "text/html; charset=utf-8"), "{path}");
        assert!(page.text().contains("room name") && page.text().contains("href=\"/\""), "{}", page.text());
    }
}

#[tokio::test]
async fn pages_are_compressed_for_those_who_can_read_it() {
    let server = TestServer::start().await;
    let page = server.ask("GET", "/", &[("accept-encoding", "gzip, br")]).await;
    assert_eq!(page.header("content-encoding"), "br");
    assert!(page.body.len() < server.get("/").await.body.len());
}

// Everything else

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let server = TestServer::start().await;
    for path in
        ["/", "/r/x", "/nothing", "/livez", "/readyz", "/api/v1/rooms/x/events", "/api/v1/rooms/x/events?limit=0"]
    {
        let answer = server.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
        assert!(answer.header("permissions-policy").contains("camera=()"));
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_costs_little_and_is_of_the_kind_that_was_asked_for() {
    let server = TestServer::start().await;
    for path in ["/nothing", "/pkg/taproom.0123.js", "/favicon.gif", "/api/v2/x", "/r/a/b", "/.env", "/wp-login.php"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (404, "text/plain; charset=utf-8"), "{path}");
        assert!(answer.body.len() < 100);
    }
    let accept = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let page = server.ask("GET", "/nothing", &[accept]).await;
    assert_eq!((page.status, page.header("content-type")), (404, "text/html; charset=utf-8"));
    assert!(page.text().contains("href=\"/\""), "{}", page.text());
}

#[tokio::test]
async fn no_path_leads_out_of_the_site() {
    let server = TestServer::start().await;
    for path in ["/../Cargo.toml", "/pkg/../../../Cargo.toml", "/%2e%2e/%2e%2e/Cargo.toml", "//etc/passwd", "/pkg/"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn head_is_answered_like_get_without_a_body() {
    let server = TestServer::start().await;
    for path in ["/", "/livez", "/nothing", "/api/v1/rooms/x/events"] {
        let (get, head) = (server.get(path).await, server.ask("HEAD", path, &[]).await);
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"));
    }
    for path in ["/", "/livez", "/nothing"] {
        assert_eq!(server.ask("POST", path, &[("content-length", "0")]).await.status, 405, "{path}");
    }
}

#[tokio::test]
async fn health_is_told() {
    let server = TestServer::start().await;
    for path in ["/livez", "/readyz"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.text()), (200, "ok\n"), "{path}");
    }
}

#[tokio::test]
async fn the_socket_address_answers_a_plain_request_with_an_error() {
    let server = TestServer::start().await;
    let answer = server.get("/ws?room=x").await;
    assert!((400..500).contains(&answer.status), "{}", answer.status);
}

// History

async fn sixty(server: &TestServer) {
    let mut writer = server.enter("x").await;
    for number in 1..=60 {
        writer.say(&format!("{number}")).await;
    }
    writer.chats(60).await;
}

fn seqs(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq().0).collect()
}

#[tokio::test]
async fn history_is_read_before_after_and_around_a_position() {
    let server = TestServer::start().await;
    sixty(&server).await;
    for (query, expected) in [
        ("", 11..=60),
        ("limit=1", 60..=60),
        ("limit=200", 1..=60),
        ("before=31&limit=10", 21..=30),
        ("before=5&limit=10", 1..=4),
        ("before=61&limit=1", 60..=60),
        ("before=999&limit=2", 59..=60),
        ("after=0", 1..=50),
        ("after=30&limit=10", 31..=40),
        ("after=58&limit=10", 59..=60),
        ("around=30&limit=11", 25..=35),
        ("around=30&limit=10", 25..=34),
        ("around=1&limit=4", 1..=4),
        ("around=60&limit=1", 60..=60),
    ] {
        let page = server.history("x", query).await;
        assert_eq!(seqs(&page.events), expected.collect::<Vec<_>>(), "{query}");
        assert_eq!((page.room.as_str(), page.head), ("x", Seq(60)), "{query}");
    }
    for nothing in ["before=1", "before=0", "after=60", "after=18446744073709551615"] {
        let page = server.history("x", nothing).await;
        assert_eq!((page.events.len(), page.head), (0, Seq(60)), "{nothing}");
    }
}

#[tokio::test]
async fn the_history_of_a_room_that_no_path_can_name_is_asked_for_by_parameter() {
    let server = TestServer::start().await;
    let mut client = server.connect("room=..").await;
    let id = client.say("hello").await;
    client.ack(id).await;
    let page: Page = server.get("/api/v1/events?room=..&limit=7").await.json();
    assert_eq!((page.room.as_str(), page.events.len()), ("..", 1));
    assert_eq!(server.get("/api/v1/events").await.status, 400);
}

#[tokio::test]
async fn around_the_ends_of_the_log_a_page_is_still_full() {
    let server = TestServer::start().await;
    sixty(&server).await;
    for (query, expected) in
        [("around=2&limit=10", 1..=10), ("around=59&limit=10", 51..=60), ("around=999&limit=10", 51..=60)]
    {
        let page = server.history("x", query).await;
        assert_eq!(seqs(&page.events), expected.collect::<Vec<_>>(), "{query}");
    }
}

#[tokio::test]
async fn history_carries_the_same_events_as_the_socket() {
    let server = TestServer::start().await;
    let mut client = server.connect("room=x&name=ada").await;
    client.send_raw(r#"{"Message":"d2F2ZXM=","Kind":"Action","Id":"01JDABCDEFGHJKMNPQRSTVWXYZ"}"#).await;
    let live = loop {
        let frame = client.next_raw().await;
        if frame.contains(r#""Type":"Chat""#) {
            break serde_json::from_str::<serde_json::Value>(&frame).expect("a frame is JSON");
        }
    };
    let answer = server.get("/api/v1/rooms/x/events").await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "private, no-store");
    let page: serde_json::Value = answer.json();
    assert_eq!(page["Events"], serde_json::json!([live]));
    assert_eq!((&page["Room"], &page["Head"]), (&"x".into(), &1.into()));
    assert!(page["Epoch"].is_string());
}

#[tokio::test]
async fn asking_for_the_history_of_a_room_does_not_make_it() {
    let server = TestServer::start().await;
    let page = server.history("nobody-was-here", "").await;
    assert_eq!((page.head, page.events.len()), (Seq::ZERO, 0));
    let mut first = server.connect(&format!("room=nobody-was-here&after=0&epoch={}", page.epoch)).await;
    assert_eq!(first.status().await.epoch, page.epoch, "a page that was loaded first is of the same log");
}

#[tokio::test]
async fn a_bad_question_is_answered_as_a_problem() {
    let server = TestServer::start().await;
    let too_long = "r".repeat(65);
    for (room, query) in [
        ("x", "limit=0"),
        ("x", "limit=201"),
        ("x", "limit=-1"),
        ("x", "limit=many"),
        ("x", "before=x"),
        ("x", "after=-1"),
        ("x", "around=1.5"),
        ("x", "after=18446744073709551616"),
        ("x", "before=1&after=1"),
        ("x", "after=1&around=1"),
        ("x", "after=1&after=2"),
        ("a%00b", ""),
        ("%2Fnick", ""),
        (&too_long, ""),
    ] {
        let answer = server.get(&format!("/api/v1/rooms/{room}/events?{query}")).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, "application/problem+json"), "{room} {query}");
        let problem: serde_json::Value = answer.json();
        assert_eq!(problem["status"], 400);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{problem}");
    }
    assert_eq!(server.history("x", "limit=200").await.events.len(), 0, "200 is the limit");
}

#[tokio::test]
async fn a_room_with_a_slash_behind_it_is_that_room() {
    let server = TestServer::start().await;
    let answer = server.get("/r/the%20lounge/").await;
    assert_eq!((answer.status, answer.header("location")), (308, "/r/the%20lounge"));
}

#[tokio::test]
async fn a_title_is_text_to_its_end() {
    let server = TestServer::start().await;
    let page = server.get("/r/%3C%2Ftitle%3E%3Cb%3E").await;
    let title = page.text().split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).expect("a title");
    assert_eq!(title.replace("&gt;", ">"), "#&lt;/title>&lt;b> – Taproom");
    let missing = server.ask("GET", "/nowhere", &[("accept", "text/html")]).await;
    assert!(missing.text().contains("<title>Not found – Taproom</title>"), "{}", missing.text());
}
