//! What the browser knows, and how it talks with the server: the signals that components read, and the verbs that
//! they call.

pub(crate) mod address;
pub(crate) mod calendar;
pub(crate) mod clock;
pub(crate) mod command;
pub mod first_page;
mod heartbeat;
mod history;
mod naming;
mod neighbours;
pub mod outbox;
pub(crate) mod prose;
pub mod reconnect;
mod report;
pub mod room;
pub(crate) mod rows;
pub mod session;
mod socket;
pub(crate) mod storage;
pub mod timeline;
pub mod window;
pub(crate) mod wire;

use self::{
    address::Spot,
    calendar::{Calendar, Local, Utc},
    command::Action,
    first_page::RoomPage,
    naming::NameProblem,
    outbox::keeper::Keeper,
    room::HistoryRequest,
    rows::{Row, RowKey},
    session::{Link, Session},
    socket::{Bell, Ring},
    storage::BrowserShelf,
    timeline::{Edge, Timeline},
};
use crate::protocol::{ClientFrame, Kind, MessageId, NickName, RoomName, Text, UserList};
use leptos::prelude::*;
use std::cell::Cell;

/// What tells a row from all others: which visit to a room it belongs to, and what it is there.
pub(crate) type LiveKey = (u64, RowKey);

/// One row of the log, whose content may change while it is shown.
#[derive(Debug, Clone)]
pub(crate) struct LiveRow {
    pub(crate) key: LiveKey,
    pub(crate) row: ArcRwSignal<Row>,
}

/// What is known of the reader's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameView {
    /// The name in use, or the remembered one.
    pub(crate) known: Option<NickName>,
    /// A name was asked for and is not answered.
    pub(crate) pending: bool,
    pub(crate) problem: Option<NameProblem>,
}

/// The page's own knowledge of itself. Components read the signals and call the verbs; everything that is decided is
/// decided in [`Session`].
#[derive(Clone, Copy)]
pub(crate) struct RoomClient {
    session: StoredValue<Session>,
    /// Keeps what waits to be sent; there is none on the server.
    keeper: StoredValue<Option<Keeper>>,
    /// Wakes the task that owns the socket; there is none on the server.
    bell: StoredValue<Option<Bell>>,
    /// Called before the rows change, so that what is being read can be kept in its place.
    before_rows: StoredValue<Option<Callback<()>>>,
    pub(crate) rows: RwSignal<Vec<LiveRow>>,
    /// How many times what is in a row changed.
    pub(crate) changes: RwSignal<u32>,
    /// How many times a message was shown because an address led to it.
    pub(crate) found: RwSignal<u32>,
    pub(crate) room: RwSignal<RoomName>,
    /// The rooms in the list, in its order.
    pub(crate) rooms: RwSignal<Vec<RoomName>>,
    pub(crate) users: RwSignal<UserList>,
    pub(crate) name: RwSignal<NameView>,
    pub(crate) link: RwSignal<Link>,
    /// How many messages wait to be sent.
    pub(crate) waiting: RwSignal<usize>,
    /// The browser does not store what is unsent: it lives in this page.
    pub(crate) unkept: RwSignal<bool>,
    /// Why the server does not take what waits; empty while it does.
    pub(crate) hindrance: RwSignal<String>,
    /// How many messages came while the reader looked at something above.
    pub(crate) unseen: RwSignal<usize>,
    pub(crate) following: RwSignal<bool>,
    /// The reader looks at something from which the newest messages are not reached by scrolling down a little.
    pub(crate) away: RwSignal<bool>,
    /// History is being loaded.
    pub(crate) loading: RwSignal<bool>,
    /// Loading history has failed, and will be tried again.
    pub(crate) cannot_load: RwSignal<bool>,
    /// Something that went wrong and belongs to no place in the page.
    pub(crate) alert: RwSignal<String>,
    /// Something that went right and cannot be seen.
    pub(crate) toast: RwSignal<String>,
    /// Another build serves than the one that made this page.
    pub(crate) outdated: RwSignal<bool>,
    /// Times are those of the browser, not UTC.
    pub(crate) local: RwSignal<bool>,
}

impl RoomClient {
    /// Begins with what the server rendered. Nothing is sent before [`RoomClient::start`].
    pub(crate) fn new(page: RoomPage) -> RoomClient {
        let session = Session::new(page);
        let room = session.room();
        let name = NameView { known: session.name().cloned(), pending: false, problem: None };
        let client = RoomClient {
            keeper: StoredValue::new(None),
            bell: StoredValue::new(None),
            before_rows: StoredValue::new(None),
            rows: RwSignal::new(Vec::new()),
            changes: RwSignal::new(0),
            found: RwSignal::new(0),
            room: RwSignal::new(room.name().clone()),
            rooms: RwSignal::new(vec![room.name().clone()]),
            users: RwSignal::new(room.users().clone()),
            name: RwSignal::new(name),
            link: RwSignal::new(session.link()),
            waiting: RwSignal::new(0),
            unkept: RwSignal::new(false),
            hindrance: RwSignal::new(String::new()),
            unseen: RwSignal::new(0),
            following: RwSignal::new(room.timeline().is_none_or(Timeline::is_following)),
            away: RwSignal::new(room.timeline().is_some_and(is_away)),
            loading: RwSignal::new(false),
            cannot_load: RwSignal::new(false),
            alert: RwSignal::new(String::new()),
            toast: RwSignal::new(String::new()),
            outdated: RwSignal::new(false),
            local: RwSignal::new(false),
            session: StoredValue::new(session),
        };
        client.show_rows();
        client
    }

    /// Opens the socket and goes on until the page is closed. In the browser only.
    pub(crate) fn start(self) {
        self.rooms.set(storage::recent_rooms(self.room.get_untracked()));
        self.local.set(true);
        let (bell, ropes) = socket::bell();
        self.bell.set_value(Some(bell));
        self.keeper.set_value(Some(Keeper::new(clock::new_message_id())));
        // What waits is shown before there is a connection.
        self.adopt(Keeper::adopt_left);
        leptos::task::spawn_local(socket::supervise(self, ropes));
        leptos::task::spawn_local(neighbours::look_after(self));
    }

    /// The page is closed, as far as it knows.
    pub(crate) fn close(self) {
        self.with_keeper(|keeper, session, now| keeper.close(session, &mut BrowserShelf, now));
    }

    /// The page is shown, perhaps after it was closed.
    pub(crate) fn reopen(self) {
        self.with_keeper(|keeper, session, now| keeper.reopen(session, &mut BrowserShelf, now));
        self.wake();
    }

    /// Does what a line from the composer asks for, or says why not.
    pub(crate) fn perform(self, line: &str) -> Result<(), String> {
        match command::read(line)? {
            Action::Say(text, kind) => return self.post(text, kind),
            Action::Nick(name) => self.choose_name(name),
            Action::Join(room) => self.visit(room),
            Action::Part(room) => return self.part(room.unwrap_or_else(|| self.room.get_untracked())),
            Action::Who => self.note(&who(&self.users.get_untracked())),
            Action::Help => self.note(&command::help()),
        }
        Ok(())
    }

    /// Says something in the current room.
    pub(crate) fn post(self, text: Text, kind: Kind) -> Result<(), String> {
        let (id, now) = (clock::new_message_id(), clock::now());
        self.change(|session| session.post(text, kind, id, now)).map_err(|outbox::Full| {
            "Too many messages wait to be sent already. This one stays here until some of them are.".to_owned()
        })
    }

    pub(crate) fn retry(self, id: MessageId) {
        self.change(|session| session.retry(id));
    }

    pub(crate) fn discard(self, id: MessageId) {
        self.change(|session| session.discard(id));
    }

    pub(crate) fn choose_name(self, name: NickName) {
        self.change(|session| session.choose_name(name));
    }

    /// Looks at the newest messages of a room, and says so in the address.
    pub(crate) fn visit(self, room: RoomName) {
        self.go(Spot::newest(room));
        self.follow();
    }

    /// Looks at a room or at a message in it, and says so in the address.
    pub(crate) fn go(self, spot: Spot) {
        if storage::spot().as_ref() != Some(&spot) {
            storage::push_address(&spot.path());
        }
        self.arrive(spot);
    }

    /// Looks at what the address says.
    pub(crate) fn arrive(self, spot: Spot) {
        self.rooms.update(|rooms| storage::remember_room(rooms, &spot.room));
        self.change(|session| {
            session.switch(spot.room);
            match spot.message {
                Some(seq) => session.seek(seq),
                None => session.unfocus(),
            }
        });
    }

    /// Leaves what the address led to, if it led to a message, for the newest one.
    pub(crate) fn jump(self) {
        if storage::spot().is_some_and(|spot| spot.message.is_some()) {
            self.visit(self.room.get_untracked());
        } else {
            self.follow();
        }
    }

    /// Looks at the room before (-1) or after (1) this one in the list.
    pub(crate) fn visit_neighbour(self, step: isize) {
        let rooms = self.rooms.get_untracked();
        let here = rooms.iter().position(|room| *room == self.room.get_untracked());
        let next = here.and_then(|here| here.checked_add_signed(step)).and_then(|at| rooms.get(at));
        if let Some(room) = next {
            self.visit(room.clone());
        }
    }

    /// Leaves a room.
    pub(crate) fn part(self, room: RoomName) -> Result<(), String> {
        let is_known = self.session.with_value(|session| session.find(&room).is_some());
        let elsewhere = self.rooms.get_untracked().into_iter().rev().find(|other| *other != room);
        let Some(elsewhere) = elsewhere.filter(|_| is_known) else {
            let why = if is_known { "This is the only room you are in." } else { "You are not in that room." };
            return Err([why, " Go to another one with /join ROOM."].concat());
        };
        if self.session.with_value(|session| session.find(&room).is_some_and(|room| room.outbox().has_unsent())) {
            return Err("Messages wait to be sent in that room. Leave it when they are sent or deleted.".to_owned());
        }
        // There has to be a room to look at afterwards.
        if self.session.with_value(|session| session.rooms().len() == 1) {
            self.change(|session| session.switch(elsewhere));
        }
        self.change(|session| session.part(&room));
        self.rooms.update(|rooms| storage::forget_room(rooms, &room));
        storage::push_address(&address::room_path(&self.room.get_untracked()));
        Ok(())
    }

    /// Says something to this reader alone.
    pub(crate) fn note(self, text: &str) {
        self.change(|session| session.note(text));
    }

    /// The newest messages are to be in view.
    pub(crate) fn follow(self) {
        self.change(Session::follow);
    }

    /// The reader scrolled to the end, or away from it.
    pub(crate) fn scrolled(self, at_end: bool) {
        let following = self.following.get_untracked();
        // Whoever follows may wait for the newest messages to come.
        let at_end = at_end && (following || self.reaches_the_newest());
        if at_end != following {
            self.change(|session| if at_end { session.follow() } else { session.hold() });
        }
    }

    /// The reader came near the first row.
    pub(crate) fn reveal_older(self) {
        self.try_change(Session::reveal_older);
    }

    /// The reader came near the last row.
    pub(crate) fn reveal_newer(self) {
        self.try_change(Session::reveal_newer);
    }

    /// The reader wants to see more of a hole.
    pub(crate) fn want_hole(self, number: u32, edge: Edge) {
        self.change(|session| session.want_hole(number, edge));
    }

    /// The reader came near an edge of a hole.
    pub(crate) fn near_hole(self, number: u32, edge: Edge) {
        self.try_change(|session| session.near_hole(number, edge));
    }

    /// The browser woke up, or its network changed.
    pub(crate) fn wake(self) {
        self.change(|session| session.doubt(clock::now()));
        self.ring(Ring::Awake);
    }

    /// Opens a socket now instead of later, or sends again what the server asked to send later.
    pub(crate) fn retry_now(self) {
        self.change(Session::be_impatient);
        self.ring(Ring::Awake);
    }

    /// What to call before the rows change.
    pub(crate) fn before_rows(self, callback: Callback<()>) {
        self.before_rows.set_value(Some(callback));
    }

    /// Days and times as they are to be shown. Tracked: they change once the browser has taken over.
    pub(crate) fn calendar(self) -> &'static dyn Calendar {
        if self.local.get() { &Local } else { &Utc }
    }

    /// The connection report, in lines of a name and a value.
    pub(crate) fn report(self) -> Vec<(&'static str, String)> {
        self.session.with_value(|session| report::lines(session, clock::now()))
    }

    fn query(self) -> String {
        self.session.with_value(Session::query)
    }

    fn next_frame(self) -> Option<ClientFrame> {
        self.session.try_update_value(|session| session.next_frame(clock::now())).flatten()
    }

    fn next_request(self) -> Option<HistoryRequest> {
        self.session.try_update_value(|session| session.next_request(clock::now())).flatten()
    }

    fn next_due(self) -> Option<u64> {
        self.session.with_value(|session| session.next_due(clock::now()))
    }

    fn is_dead(self) -> bool {
        self.session.with_value(|session| session.is_dead(clock::now()))
    }

    /// Changes the session, says what follows from that to the server and to the page.
    fn change<T>(self, change: impl FnOnce(&mut Session) -> T) -> T {
        let mut result = None;
        self.session.update_value(|session| result = Some(change(session)));
        self.with_keeper(|keeper, session, now| keeper.keep(session, &mut BrowserShelf, now));
        self.show();
        history::load(self);
        self.ring(Ring::Changed);
        result.expect("the change was made")
    }

    /// Knocks at the other pages of this browser; whether it is worth waiting for answers.
    fn knock(self) -> bool {
        let knock = |keeper: &mut Keeper, _: &mut Session, now| keeper.knock(&mut BrowserShelf, now);
        self.with_keeper(knock).unwrap_or(false)
    }

    /// Another page knocked, or the storage may take by now what it did not take before.
    fn renew(self) {
        self.with_keeper(|keeper, session, now| keeper.renew(session, &mut BrowserShelf, now));
        self.change(|_| {});
    }

    /// Takes in what pages left that did not answer.
    fn adopt_silent(self) {
        self.adopt(Keeper::adopt_silent);
    }

    fn adopt(self, adopt: fn(&mut Keeper, &mut Session, &mut BrowserShelf, u64)) {
        self.with_keeper(|keeper, session, now| adopt(keeper, session, &mut BrowserShelf, now));
        let waits = |session: &Session| session.drafts().map(|(room, _)| room.clone()).collect::<Vec<_>>();
        for room in self.session.with_value(waits) {
            if self.rooms.with_untracked(|rooms| !rooms.contains(&room)) {
                self.rooms.update(|rooms| storage::remember_room(rooms, &room));
            }
        }
        self.change(|_| {});
    }

    fn with_keeper<T>(self, work: impl FnOnce(&mut Keeper, &mut Session, u64) -> T) -> Option<T> {
        let on_session =
            |keeper: &mut Keeper| self.session.try_update_value(|session| work(keeper, session, clock::now()));
        self.keeper.try_update_value(|keeper| keeper.as_mut().and_then(on_session)).flatten()
    }

    fn try_change(self, change: impl FnOnce(&mut Session) -> bool) {
        if self.session.try_update_value(change).unwrap_or(false) {
            self.change(|_| {});
        }
    }

    fn reaches_the_newest(self) -> bool {
        self.session.with_value(|session| session.room().timeline().is_none_or(Timeline::reaches_the_newest))
    }

    fn ring(self, ring: Ring) {
        self.bell.update_value(|bell| {
            if let Some(bell) = bell {
                bell.ring(ring);
            }
        });
    }

    /// Brings the signals up to what the session knows.
    fn show(self) {
        let alerts = self.session.try_update_value(Session::take_alerts).unwrap_or_default();
        if let Some(alert) = alerts.last() {
            self.alert.set(alert.clone());
        }
        self.session.with_value(|session| {
            let room = session.room();
            tell(self.room, room.name());
            tell(self.users, room.users());
            tell(self.link, &session.link());
            tell(self.waiting, &session.waiting());
            let is_kept = self.keeper.with_value(|keeper| keeper.as_ref().is_none_or(Keeper::is_kept));
            tell(self.hindrance, &session.hindrance().unwrap_or_default().to_owned());
            tell(self.unkept, &(!is_kept && session.has_unsent()));
            tell(self.unseen, &room.timeline().map_or(0, |timeline| timeline.unseen()));
            tell(self.following, &room.timeline().is_none_or(|timeline| timeline.is_following()));
            tell(self.away, &room.timeline().is_some_and(is_away));
            tell(self.found, &session.found());
            tell(self.outdated, &session.is_outdated());
            tell(self.loading, &room.is_loading());
            tell(self.cannot_load, &room.cannot_load());
            let (known, problem) = (session.name().cloned(), session.name_problem().cloned());
            tell(self.name, &NameView { known, pending: session.name_is_pending(), problem });
            if let Some(name) = session.confirmed_name() {
                storage::remember_name(name);
            }
        });
        self.show_rows();
    }

    /// Sets the rows that changed, and the list of rows if any came or went.
    fn show_rows(self) {
        let calendar: &dyn Calendar = if self.local.get_untracked() { &Local } else { &Utc };
        let (visit, rows) = self.session.with_value(|session| {
            let rows = rows::rows(session.room(), session.author(), calendar);
            (session.visit(), rows)
        });
        let old = self.rows.get_untracked();
        let is_announced = Cell::new(false);
        let announce = || {
            if !is_announced.replace(true)
                && let Some(before_rows) = self.before_rows.get_value()
            {
                before_rows.run(());
            }
        };
        // Rows come and go and seldom pass each other, so every search goes on from the one before. A draft that was
        // refused is passed by what was said after it.
        let mut rest = old.iter();
        let live: Vec<LiveRow> = rows
            .into_iter()
            .map(|(key, row)| {
                let key = (visit, key);
                let mut search = rest.clone();
                let known = match search.find(|live| live.key == key) {
                    Some(known) => {
                        rest = search;
                        known
                    }
                    None => match old.iter().find(|live| live.key == key) {
                        Some(passed) => passed,
                        None => return LiveRow { key, row: ArcRwSignal::new(row) },
                    },
                };
                if known.row.with_untracked(|old| *old != row) {
                    announce();
                    known.row.set(row);
                }
                known.clone()
            })
            .collect();
        if !old.iter().map(|live| live.key).eq(live.iter().map(|live| live.key)) {
            announce();
            self.rows.set(live);
        } else if is_announced.get() {
            self.changes.update(|changes| *changes = changes.wrapping_add(1));
        }
    }
}

fn is_away(timeline: &Timeline) -> bool {
    !timeline.is_following() && !timeline.reaches_the_newest()
}

/// Sets a signal if its value is another one.
fn tell<T: Clone + PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: &T) {
    if signal.with_untracked(|old| old != value) {
        signal.set(value.clone());
    }
}

fn who(users: &UserList) -> String {
    let names: Vec<&str> = users.users.iter().map(|user| user.name.as_str()).collect();
    let more = users.count.unwrap_or(names.len()).saturating_sub(names.len());
    let mut text = ["Here now: ", &names.join(", ")].concat();
    if more > 0 {
        text.extend([" and ", &more.to_string(), " more"]);
    }
    text
}
