//! Gathering what the first HTML of a room shows.

use crate::{
    backend::{Backend, Unreadable},
    client::first_page::{RoomPage, Theme},
    protocol::{NickName, RoomName, Seq},
};

impl RoomPage {
    /// Asks the backend for everything that a room's page shows: the newest messages, or those around the one in focus.
    pub async fn load<B: Backend>(
        backend: &B,
        room: RoomName,
        focus: Option<Seq>,
        me: Option<NickName>,
        theme: Theme,
        build: &str,
    ) -> Result<RoomPage, Unreadable> {
        let page = match focus {
            Some(seq) => backend.around(&room, seq, RoomPage::EVENTS).await?,
            None => backend.newest(&room, RoomPage::EVENTS).await?,
        };
        Ok(RoomPage { page, focus, users: backend.present(&room), me, theme, build: build.to_owned() })
    }
}
