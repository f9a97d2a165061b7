//! Gathering what the first HTML of a room shows.

use crate::{
    backend::{Backend, Unreadable},
    client::first_page::{RoomPage, Theme},
    protocol::{NickName, RoomName},
};

impl RoomPage {
    /// Asks the backend for everything that a room's page shows.
    pub async fn load<B: Backend>(
        backend: &B,
        room: RoomName,
        me: Option<NickName>,
        theme: Theme,
        build: &str,
    ) -> Result<RoomPage, Unreadable> {
        let page = backend.newest(&room, RoomPage::EVENTS).await?;
        Ok(RoomPage { page, users: backend.present(&room), me, theme, build: build.to_owned() })
    }
}
