//! Names: unique among the people connected, one person however many tabs.

use super::*;
use crate::counted::held;
use std::task::Wake;

fn people() -> People {
    People::new(Limits { text_bytes: 8_000, frame_bytes: 65_536, messages_per_second: 2, burst: 3 })
}

fn nick(name: &str) -> NickName {
    NickName::parse(name).expect("a good name")
}

fn browser(id: u128) -> Option<VisitorId> {
    Some(id.into())
}

#[test]
fn a_guest_has_a_name_of_their_own() {
    let people = people();
    let (one, two) = (people.arrive(None), people.arrive(None));
    assert_ne!(one.called().name, two.called().name);
    assert!(one.called().name.as_str().starts_with("guest-"));
    assert_eq!(one.called().name.as_str().len(), "guest-".len() + 4);
    assert!(!one.called().named);
}

#[test]
fn a_browser_is_written_as_its_cookie_has_it() {
    assert_eq!(VisitorId::from(0xabc).to_string(), "00000000000000000000000000000abc");
}

#[test]
fn the_tabs_of_one_browser_are_one_person() {
    let people = people();
    let (one, two) = (people.arrive(browser(7)), people.arrive(browser(7)));
    one.take_name(nick("ada")).expect("free");
    assert_eq!(one.id(), two.id());
    assert_eq!(two.called(), Called { name: nick("ada"), named: true });
    drop(one);
    assert!(people.arrive(None).take_name(nick("ada")).is_err(), "the other tab is still there");
    drop(two);
    people.arrive(None).take_name(nick("ada")).expect("free again");
}

#[test]
fn a_taken_name_and_its_look_alikes_are_refused_with_a_suggestion() {
    let people = people();
    let (ada, other) = (people.arrive(None), people.arrive(None));
    ada.take_name(nick("ada")).expect("free");
    for wanted in ["ada", "ADA", "аda"] {
        let refused = other.take_name(nick(wanted)).expect_err("taken");
        let suggestion = refused.suggestion.expect("there is one");
        assert_eq!(suggestion.as_str(), format!("{wanted}2"));
    }
    other.take_name(nick("ada2")).expect("the suggestion is free");
    ada.take_name(nick("Ada")).expect("one's own name, written differently");
}

#[test]
fn a_suggestion_for_the_longest_name_is_still_a_name() {
    let people = people();
    let long = nick(&"x".repeat(32));
    let owner = people.arrive(None);
    owner.take_name(long.clone()).expect("free");
    let refused = people.arrive(None).take_name(long).expect_err("taken");
    assert_eq!(refused.suggestion, Some(nick(&format!("{}2", "x".repeat(30)))));
}

#[test]
fn leaving_and_renaming_free_the_old_name() {
    let people = people();
    let one = people.arrive(None);
    one.take_name(nick("ada")).expect("free");
    one.take_name(nick("bo")).expect("free");
    people.arrive(None).take_name(nick("ada")).expect("freed by the change");
    drop(one);
    people.arrive(None).take_name(nick("bo")).expect("freed by leaving");
    let known = people.inner.known.lock();
    assert_eq!((known.names.len(), known.visitors.len()), (0, 0), "nothing is left behind");
}

/// Counts how often it was woken.
#[derive(Default)]
struct Bell(AtomicU32);

impl Bell {
    fn rung(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn every_tab_that_listens_hears_of_a_change_of_name_once() {
    let people = people();
    let (one, two) = (people.arrive(browser(7)), people.arrive(browser(7)));
    let (first, second) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
    one.listen(first.clone().into());
    two.listen(second.clone().into());
    one.take_name(nick("ada")).expect("free");
    assert_eq!((first.rung(), second.rung()), (1, 1));
    assert_eq!((one.version(), two.version()), (1, 1));

    people.arrive(None).take_name(nick("ada")).expect_err("taken");
    people.arrive(None).take_name(nick("bo")).expect("free");
    assert_eq!((first.rung(), second.rung()), (1, 1), "others' names are no matter of theirs");
}

#[test]
fn a_tab_has_one_waker_until_it_is_gone() {
    let people = people();
    let (one, two) = (people.arrive(browser(7)), people.arrive(browser(7)));
    let (old, new) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
    one.listen(old.clone().into());
    one.listen(new.clone().into());
    assert_eq!(Arc::strong_count(&old), 1, "nothing holds a waker that was replaced");
    two.take_name(nick("ada")).expect("free");
    drop(one);
    assert_eq!(Arc::strong_count(&new), 1, "nor one whose tab is gone");
    two.take_name(nick("bo")).expect("free");
    assert_eq!((old.rung(), new.rung()), (0, 1));
}

#[test]
fn a_waker_may_ask_who_is_called_what() {
    struct Asks(Presence, Mutex<Vec<String>>);
    impl Wake for Asks {
        fn wake(self: Arc<Self>) {
            self.1.lock().push(self.0.called().name.to_string());
        }
    }
    let people = people();
    let asks = Arc::new(Asks(people.arrive(browser(7)), Mutex::default()));
    let other = people.arrive(browser(7));
    other.listen(asks.clone().into());
    other.take_name(nick("ada")).expect("free");
    other.take_name(nick("bo")).expect("free");
    assert_eq!(*asks.1.lock(), ["ada", "bo"]);
}

#[tokio::test(start_paused = true)]
async fn messages_beyond_the_burst_wait_their_turn() {
    let people = people();
    let person = people.arrive(None);
    for _ in 0..3 {
        person.spend_message().expect("within the burst");
    }
    let wait = person.spend_message().expect_err("one too many");
    assert!(wait <= Duration::from_millis(500), "{wait:?}");
    tokio::time::advance(wait).await;
    person.spend_message().expect("after the wait");
}

#[test]
fn a_crowd_costs_little_memory_and_none_when_it_is_gone() {
    const CROWD: usize = 9_000;
    let come = |people: &People, number: usize| {
        let tab = people.arrive(browser(rand::random()));
        tab.listen(Waker::noop().clone());
        tab.take_name(nick(&format!("person {number}"))).expect("free");
        tab
    };
    let (people, mut crowd) = (people(), Vec::with_capacity(CROWD));
    // What is made once is made by the first.
    drop(come(&people, 0));
    let before = held();
    crowd.extend((0..CROWD).map(|number| come(&people, number)));
    let each = (held() - before) / CROWD.cast_signed();
    assert!(each <= 280, "{each} bytes for each person");
    crowd.clear();
    assert_eq!(held(), before);
}
