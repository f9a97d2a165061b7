//! What the first HTML of a room is made of. The browser gets the same, and goes on from there.

use super::wire;
use crate::protocol::{Event, NickName, Page, Seq, UserList};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Everything that the page of a room shows at first: rendered on the server, serialised into the page, and read by
/// the browser, so that both show the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomPage {
    /// The newest stretch of the room's log, or the one around the message in focus. The browser reads on from its head.
    pub page: Page,
    /// The message that the address leads to.
    pub focus: Option<Seq>,
    /// Who is in the room.
    pub users: UserList,
    /// What the reader was called the last time, from the cookie `taproom_name`.
    pub me: Option<NickName>,
    /// The reader's choice of colours, from the cookie `taproom_theme`.
    pub theme: Theme,
    /// Which build of Taproom rendered it.
    pub build: String,
}

impl RoomPage {
    /// How many events the first page carries at most.
    pub const EVENTS: usize = 50;

    /// Whether the message is here that the address leads to, if it leads to one.
    pub fn has_its_focus(&self) -> bool {
        self.focus.is_none_or(|focus| self.page.events.iter().map(Event::seq).any(|seq| seq == focus))
    }
}

/// As it is put into the document.
impl fmt::Display for RoomPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// As the browser reads it from the document.
impl FromStr for RoomPage {
    type Err = Unreadable;

    fn from_str(json: &str) -> Result<RoomPage, Unreadable> {
        wire::read_room_page(json).ok_or(Unreadable)
    }
}

/// The document and its script are of different versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// Which colours the reader wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the operating system says.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Every choice, in the order in which it is offered.
    pub const ALL: [Theme; 3] = [Theme::Auto, Theme::Light, Theme::Dark];

    /// Reads the value of the cookie `taproom_theme`; anything unknown means [`Theme::Auto`].
    pub fn of_cookie(value: Option<&str>) -> Theme {
        match value {
            Some("light") => Theme::Light,
            Some("dark") => Theme::Dark,
            _ => Theme::Auto,
        }
    }

    /// The value of the cookie and of `html[data-theme]`.
    pub fn as_str(self) -> &'static str {
        match self {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_theme_is_read_back_from_its_cookie() {
        for theme in Theme::ALL {
            assert_eq!(Theme::of_cookie(Some(theme.as_str())), theme);
        }
        assert_eq!(Theme::of_cookie(Some("plaid")), Theme::Auto);
        assert_eq!(Theme::of_cookie(None), Theme::Auto);
    }
}
