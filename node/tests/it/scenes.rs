//! Golden transcripts: each file in `tests/scenes` says what people of one dialect send and what
//! every one of them hears, to the last event. Each is played over every way to connect.

mod player;
mod script;
mod values;

use crate::scenes::player::{Lane, play};
use crate::scenes::script::Script;

macro_rules! scenes {
    ($($file:literal),* $(,)?) => {
        [$(($file, include_str!(concat!("../scenes/", $file, ".scene")))),*]
    };
}

/// Every scene of a dialect that is spoken over Socket.IO.
const SOCKET_IO: [(&str, &str); 14] = scenes![
    "conversation/talk",
    "conversation/statuses",
    "conversation/resume",
    "conversation/refusals",
    "case/talk",
    "case/close",
    "case/refusals",
    "ticket/talk",
    "ticket/history",
    "ticket/refusals",
    "ticket/files",
    "desk/talk",
    "desk/online",
    "desk/refusals",
];

/// The scenes of a dialect of envelopes.
const ENVELOPES: [(&str, &str); 2] = scenes!["flow/talk", "flow/refusals"];

async fn play_all(scenes: &[(&'static str, &'static str)], lane: Lane) {
    for (name, text) in scenes {
        play(name, &Script::parse(text), lane).await;
    }
}

#[tokio::test]
async fn wire_clients_that_open_a_websocket_hear_what_scenes_say() {
    play_all(&SOCKET_IO, |dial| dial).await;
}

#[tokio::test]
async fn wire_clients_that_poll_hear_what_scenes_say() {
    play_all(&SOCKET_IO, |dial| dial.polling()).await;
}

#[tokio::test]
async fn official_clients_that_open_a_websocket_hear_what_scenes_say() {
    play_all(&SOCKET_IO, |dial| dial.official("websocket")).await;
}

#[tokio::test]
async fn official_clients_that_upgrade_hear_what_scenes_say() {
    play_all(&SOCKET_IO, |dial| dial.official("polling,websocket")).await;
}

#[tokio::test]
async fn clients_of_envelopes_hear_what_scenes_say() {
    play_all(&ENVELOPES, |dial| dial.envelopes("/ws")).await;
    play_all(&ENVELOPES, |dial| dial.envelopes("/")).await;
}
