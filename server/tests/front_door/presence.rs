//! Who is here is right, and costs little: a snapshot, at most twice a second.

use crate::support::{TestClient, TestServer, names_of, room, unhurried, visitor};
use app::protocol::{ClientFrame, UserList};
use futures::future::{join, join_all};
use std::time::Duration;
use tokio::time::Instant;

async fn named(server: &TestServer, room: &str, name: &str) -> TestClient {
    let mut client = server.connect(&format!("room={room}&name={name}")).await;
    client.users().await;
    client
}

#[tokio::test]
async fn three_tabs_of_one_browser_are_one_person_until_the_last_is_gone() {
    let server = TestServer::start().await;
    let mut watcher = named(&server, "x", "watcher").await;
    let mut tabs = Vec::new();
    for _ in 0..3 {
        tabs.push(server.tab("room=x&name=ada", &visitor(1)).await);
    }
    for tab in &mut tabs {
        assert_eq!(names_of(&tab.users().await), ["ada", "watcher"]);
    }
    tabs.pop().expect("three").leave().await;
    tabs.pop().expect("two").leave().await;
    let bo = named(&server, "x", "bo").await;
    // This list was made after two tabs had gone.
    watcher.people_are(&["ada", "bo", "watcher"]).await;
    tabs.pop().expect("one").leave().await;
    watcher.people_are(&["bo", "watcher"]).await;
    drop(bo);
    watcher.people_are(&["watcher"]).await;
}

#[tokio::test]
async fn a_socket_without_a_cookie_is_a_person_of_its_own() {
    let server = TestServer::start().await;
    let (_one, _two) = (server.enter("x").await, server.enter("x").await);
    let mut third = server.connect("room=x").await;
    assert_eq!(third.users().await.users.len(), 3);
}

#[tokio::test]
async fn every_room_has_its_own_list() {
    let server = TestServer::start().await;
    let (mut in_x, mut in_y) = (named(&server, "x", "xenia").await, named(&server, "y", "yves").await);
    let mut ada = named(&server, "x", "ada").await;
    ada.join(&room("y"), None, None).await;
    in_x.people_are(&["ada", "xenia"]).await;
    in_y.people_are(&["ada", "yves"]).await;

    ada.send(&ClientFrame::Leave { room: Some(room("x")) }).await;
    in_x.people_are(&["xenia"]).await;
    let mut zoe = server.connect("room=y&name=zoe").await;
    assert_eq!(names_of(&zoe.users().await), ["ada", "yves", "zoe"]);
    drop(ada);
    in_y.people_are(&["yves", "zoe"]).await;
}

#[tokio::test]
async fn one_that_is_cut_off_without_a_goodbye_is_gone() {
    let server = TestServer::start().await;
    let mut watcher = named(&server, "x", "watcher").await;
    let ada = named(&server, "x", "ada").await;
    watcher.people_are(&["ada", "watcher"]).await;
    drop(ada);
    watcher.people_are(&["watcher"]).await;
}

#[tokio::test]
async fn the_page_and_the_socket_list_the_same_people() {
    let server = TestServer::start().await;
    let _ada = named(&server, "x", "Ada-from-the-list").await;
    let page = server.get("/r/x").await;
    assert!(page.text().contains("Ada-from-the-list"), "{}", page.text());
}

/// Every list that comes until one has so many people, with its moment.
async fn lists_until(client: &mut TestClient, people: usize) -> Vec<(Instant, UserList)> {
    let mut lists = Vec::new();
    loop {
        let list = client.users().await;
        let is_last = list.count.unwrap_or(list.users.len()) == people;
        lists.push((Instant::now(), list));
        if is_last {
            return lists;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_is_told_at_most_twice_a_second() {
    let server = TestServer::in_memory(&unhurried());
    let mut watcher = server.connect("room=x").await;
    let coming = async {
        let (mut pace, mut here) = (tokio::time::interval(Duration::from_millis(70)), Vec::new());
        for _ in 0..50 {
            pace.tick().await;
            here.push(server.connect("room=x").await);
        }
        here
    };
    let (_here, lists) = join(coming, lists_until(&mut watcher, 51)).await;
    let pauses: Vec<Duration> = lists.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(pauses.iter().all(|pause| *pause >= Duration::from_millis(500)), "{pauses:?}");
    // Nor is it told much less often than that.
    assert!(pauses.iter().all(|pause| *pause <= Duration::from_millis(1_100)), "{pauses:?}");
    assert!((4..=9).contains(&lists.len()), "{} lists in 3.5 s", lists.len());
}

#[tokio::test(start_paused = true)]
async fn a_socket_is_told_at_most_twice_a_second_in_a_lively_room_too() {
    let server = TestServer::in_memory(&unhurried());
    let (mut talker, mut watcher) = (server.enter("x").await, server.connect("room=x").await);
    let coming = async {
        let (mut pace, mut here) = (tokio::time::interval(Duration::from_millis(70)), Vec::new());
        for _ in 0..30 {
            pace.tick().await;
            here.push(server.connect("room=x").await);
            // Every message wakes the watcher's connection; that is no reason to tell again who is here.
            talker.is_alive().await;
        }
        here
    };
    let (_here, lists) = join(coming, lists_until(&mut watcher, 32)).await;
    let pauses: Vec<Duration> = lists.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(pauses.iter().all(|pause| *pause >= Duration::from_millis(500)), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn somebody_who_comes_and_goes_between_two_lists_costs_nothing() {
    let server = TestServer::in_memory(&unhurried());
    let mut watcher = named(&server, "x", "watcher").await;
    for _ in 0..30 {
        named(&server, "x", "bird").await.leave().await;
    }
    let started = Instant::now();
    let _bo = named(&server, "x", "bo").await;
    let mut lists = 1;
    while names_of(&watcher.users().await) != ["bo", "watcher"] {
        lists += 1;
    }
    assert!(lists <= 3, "{lists} lists for what happened at once");
    assert!(started.elapsed() <= Duration::from_secs(1), "the last word comes soon");
}

#[tokio::test(start_paused = true)]
async fn above_200_people_the_list_has_200_names_and_the_count() {
    let server = TestServer::in_memory(&unhurried());
    let queries: Vec<String> = (0..200).map(|number| format!("room=x&name=p{number:03}")).collect();
    let mut people = join_all(queries.iter().map(|query| server.connect(query))).await;
    let all = lists_until(&mut people[0], 200).await.pop().expect("a list").1;
    assert_eq!((all.users.len(), all.count), (200, None));

    let mut first = server.connect("room=x&name=aaa").await;
    let cut = first.users().await;
    let names = names_of(&cut);
    assert_eq!((names.len(), cut.count), (200, Some(201)));
    assert_eq!((names[0], names[1], names[199]), ("aaa", "p000", "p198"), "the first 200 in alphabetical order");
    assert!(names.is_sorted());
    first.leave().await;
    let again = lists_until(&mut people[1], 200).await.pop().expect("a list").1;
    assert_eq!((again.users.len(), again.count), (200, None));
}

#[tokio::test(start_paused = true)]
async fn when_300_come_at_once_each_is_told_a_few_times_and_not_300() {
    let server = TestServer::in_memory(&unhurried());
    let mut people = join_all((0..300).map(|_| server.connect("room=x"))).await;
    let lists = join_all(people.iter_mut().map(|person| lists_until(person, 300))).await;
    let most = lists.iter().map(Vec::len).max().expect("300 people");
    assert!(most <= 4, "one of them was told {most} times");
}
