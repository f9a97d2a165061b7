//! The page: its regions, and what wakes it up in the browser.

use super::{
    chat_log::ChatLog, composer::Composer, connection_notice::ConnectionNotice, connection_report::ConnectionReport,
    headline::Headline, keys, message_menu::MessageMenu, pill::Pill, room_list::RoomList, shortcuts::Shortcuts,
    toasts::Toasts, user_list::UserList, version_notice::VersionNotice,
};
use crate::{
    client::first_page::RoomPage,
    client::{LiveRow, RoomClient, storage},
};
use leptos::{html, prelude::*};

/// What the components share that is no knowledge of the room: where the reader is in the page.
#[derive(Clone, Copy)]
pub(super) struct Places {
    /// Which of the lists at the sides is drawn over the page of a narrow screen.
    pub(super) drawer: RwSignal<Option<Drawer>>,
    /// The message whose actions are offered.
    pub(super) menu: RwSignal<Option<LiveRow>>,
    pub(super) menu_dialog: NodeRef<html::Dialog>,
    pub(super) report_dialog: NodeRef<html::Dialog>,
    pub(super) shortcuts_dialog: NodeRef<html::Dialog>,
    pub(super) log: NodeRef<html::Div>,
    /// The log's scroll position as the last scroll event told it.
    pub(super) scrolled_to: StoredValue<i32>,
    /// When the reader scrolled last, in milliseconds since 1970.
    pub(super) scrolled_when: StoredValue<u64>,
    /// The scroll position that the page gave the log itself, until the reader scrolls.
    pub(super) settled_at: StoredValue<Option<i32>>,
}

/// A list at the side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drawer {
    Rooms,
    People,
}

impl Drawer {
    fn as_str(self) -> &'static str {
        match self {
            Drawer::Rooms => "rooms",
            Drawer::People => "people",
        }
    }
}

/// Everything inside `<body>`.
#[component]
pub(crate) fn App() -> impl IntoView {
    let page = SharedValue::new_str(expect_context::<RoomPage>).into_inner();
    let theme = page.theme;
    let client = RoomClient::new(page);
    let places = Places {
        drawer: RwSignal::new(None),
        menu: RwSignal::new(None),
        menu_dialog: NodeRef::new(),
        report_dialog: NodeRef::new(),
        shortcuts_dialog: NodeRef::new(),
        log: NodeRef::new(),
        scrolled_to: StoredValue::new(0),
        scrolled_when: StoredValue::new(0),
        settled_at: StoredValue::new(None),
    };
    provide_context(client);
    provide_context(places);
    Effect::new(move |_| awake(client, places));
    Effect::new(move |_| document().set_title(&room_title(client.room.read().as_str())));
    view! {
        <a class="skip" href="#composer">"Skip to message box"</a>
        <div class="app" data-drawer=move || places.drawer.get().map(Drawer::as_str)>
            <RoomList theme=theme/>
            <main aria-label=move || ["#", client.room.read().as_str()].concat()>
                <Headline/>
                <ConnectionNotice/>
                <VersionNotice/>
                <ChatLog/>
                <Pill/>
                <Composer/>
            </main>
            <UserList/>
            <button class="backdrop" type="button" aria-label="Close the list" tabindex="-1" on:click=move |_| places.drawer.set(None)></button>
        </div>
        <ConnectionReport/>
        <Shortcuts/>
        <MessageMenu/>
        <Toasts/>
    }
}

/// Once the browser has taken over.
fn awake(client: RoomClient, places: Places) {
    client.start();
    keys::listen(client, places);
    window_event_listener_untyped("online", move |_| client.wake());
    window_event_listener_untyped("offline", move |_| client.wake());
    window_event_listener_untyped("pageshow", move |_| client.reopen());
    window_event_listener_untyped("pagehide", move |_| client.close());
    window_event_listener_untyped("visibilitychange", move |_| {
        if document().visibility_state() == web_sys::VisibilityState::Visible {
            client.wake();
        }
    });
    window_event_listener_untyped("beforeunload", move |event| {
        // What is unsent lives in this page alone: the browser asks before it is thrown away.
        if client.unkept.get_untracked() {
            event.prevent_default();
        }
    });
    window_event_listener_untyped("popstate", move |_| {
        if let Some(spot) = storage::spot() {
            client.arrive(spot);
        }
    });
    if let Some(root) = document().document_element() {
        // Setting an attribute by a valid name cannot fail.
        let _ = root.set_attribute("data-ready", "");
    }
}

/// The title of a room's tab.
pub(crate) fn room_title(room: &str) -> String {
    ["#", room, " – Taproom"].concat()
}
