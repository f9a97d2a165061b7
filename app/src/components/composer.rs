//! Where the reader writes: a name first, then messages.

use super::{input_line::InputLine, name_form::NameForm};
use crate::client::RoomClient;
use leptos::{either::Either, prelude::*};

#[component]
pub(super) fn Composer() -> impl IntoView {
    let client = expect_context::<RoomClient>();
    let has_name = Memo::new(move |_| client.name.read().known.is_some());
    move || if has_name.get() { Either::Left(view! { <InputLine/> }) } else { Either::Right(view! { <NameForm/> }) }
}
