//! Golden transcripts: each file in `tests/scenes` says what people of one dialect send and what
//! every one of them hears, to the last event. Each is played over every way to connect.

mod player;
mod script;
mod values;

use std::collections::BTreeSet;

use crate::scenes::player::{Lane, play};
use crate::scenes::script::{Act, Script, Told};

macro_rules! scenes {
    ($($file:literal),* $(,)?) => {
        [$(($file, include_str!(concat!("../scenes/", $file, ".scene")))),*]
    };
}

/// Every scene of a dialect that is spoken over Socket.IO.
const SOCKET_IO: [(&str, &str); 19] = scenes![
    "conversation/talk",
    "conversation/statuses",
    "conversation/resume",
    "conversation/refusals",
    "conversation/application",
    "case/talk",
    "case/close",
    "case/refusals",
    "case/application",
    "ticket/talk",
    "ticket/history",
    "ticket/refusals",
    "ticket/application",
    "ticket/files",
    "desk/talk",
    "desk/online",
    "desk/refusals",
    "desk/application",
    "desk/figures",
];

/// The scenes of a dialect of envelopes.
const ENVELOPES: [(&str, &str); 3] = scenes!["flow/talk", "flow/refusals", "flow/application"];

/// Told when a log was cut, or a token ends: scenes have no words for loss and for time.
const NOT_IN_SCENES: [&str; 4] =
    ["history:reset", "HISTORY_RESET", "token:expiring", "TOKEN_EXPIRING"];

/// What files of dialects name as events: what clients send, and what they hear.
fn events_of(dialect: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let path = format!("{}/dialects/{dialect}.toml", env!("CARGO_MANIFEST_DIR"));
    let file: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    let name = |table: &toml::Value| table["event"].as_str().unwrap().to_owned();
    let tables = |key: &str| file[key].as_array().unwrap().clone();
    let asked = tables("client").iter().map(name).collect();
    let answers = tables("client").into_iter().flat_map(|it| {
        let answers = it.get("answers").and_then(|it| it.as_array()).cloned().unwrap_or_default();
        answers.into_iter().chain(it.get("refused").cloned())
    });
    let told = tables("server").into_iter().chain(answers).chain([file["refused"].clone()]);
    (asked, told.map(|it| name(&it)).collect())
}

#[test]
fn every_event_of_every_dialect_is_in_a_scene() {
    for dialect in ["conversation", "case", "flow", "desk", "ticket"] {
        let (mut asked, mut told) = events_of(dialect);
        let scenes = SOCKET_IO.iter().chain(&ENVELOPES).filter(|(it, _)| it.starts_with(dialect));
        for step in scenes.flat_map(|(_, text)| Script::parse(text).steps) {
            if let Act::Send { event, .. } | Act::Ask { event, .. } = &step.act {
                asked.remove(event);
            }
            for (_, heard) in &step.told {
                if let Told::Event(event, _) = heard {
                    told.remove(event);
                }
            }
        }
        told.retain(|it| !NOT_IN_SCENES.contains(&it.as_str()));
        assert!(asked.is_empty() && told.is_empty(), "{dialect}: {asked:?} {told:?}");
    }
}

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
