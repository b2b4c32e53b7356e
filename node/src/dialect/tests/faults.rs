//! What is said about files that are wrong, with the line.

use std::fs;

use crate::dialect::Dialects;
use crate::dialect::source::Source;
use crate::dialect::tests::source;
use crate::domain::refusal::CODES;

/// A right file to which tests add what is wrong; it ends with line 2.
const RIGHT: &str = r#"namespaces = "/"
refused = { event = "error", payload = '{ "code": "$error.code" }' }
"#;

fn check_files(sources: &[Source], expected: &[&str]) {
    let faults = Dialects::compile(sources).map(|_| ()).unwrap_err();
    assert_eq!(faults.to_string().lines().collect::<Vec<_>>(), expected);
}

/// `text` stands from line 3.
fn check(text: &str, expected: &[&str]) {
    check_files(&[source("test", &format!("{RIGHT}{text}"))], expected);
}

/// A client event that joins, with `text` from line 4.
fn check_join(text: &str, expected: &[&str]) {
    check(&format!("[[client]]\n{text}\ndoes = \"room.join\"\nevent = \"join\""), expected);
}

/// A server event about a closed room, with `payload` in line 4.
fn check_payload(payload: &str, expected: &[&str]) {
    let rest = "on = \"room.closed\"\nto = \"all\"\nevent = \"closed\"";
    check(&format!("[[server]]\npayload = {payload}\n{rest}"), expected);
}

#[test]
fn the_file_to_which_faults_are_added_is_right() {
    assert!(Dialects::compile(&[source("test", RIGHT)]).is_ok());
}

#[test]
fn all_faults_of_all_files_are_told_at_once() {
    let second = "namespaces = \"/b\"\ntext_max = 5\nsurprise = 1";
    check_files(
        &[source("a", "namespaces = \"x\""), source("b", second)],
        &[
            "a.toml:1: `x` is no namespace, like `/` or `/name`",
            "a.toml:1: `refused` is missing",
            "b.toml:1: `refused` is missing",
            "b.toml:2: `text_max` must be a table",
            "b.toml:3: unknown key `surprise` (known: paths, namespaces, ids, text_max, escapes, token_first, standing_rooms, rates, codes, refused, connect, client, server)",
        ],
    );
}

#[test]
fn a_wire_of_envelopes_has_paths_and_nothing_of_socket_io() {
    let refused = r#"refused = { event = "E", payload = '{}' }"#;
    let file = |name: &str, text: &str| source(name, &format!("{text}\n{refused}"));
    let client = "[[client]]\nevent = \"J\"\ndoes = \"room.join\"";
    check_files(
        &[source(
            "a",
            &format!(
                "paths = [\"/ws\", \"ws\", \"/socket.io/x\", \"/a?b\", \"/ws\"]\n\
                     namespaces = \"/\"\n{refused}\n\
                     connect = {{ does = \"users.renew\", args = '[]' }}\n\
                     {client}\nargs = '[\"$room\", \"$since?\"]'\nreply = '{{}}'"
            ),
        )],
        &[
            "a.toml:1: `ws` is no path for WebSockets, like `/ws`",
            "a.toml:1: `/socket.io/x` is no path for WebSockets, like `/ws`",
            "a.toml:1: `/a?b` is no path for WebSockets, like `/ws`",
            "a.toml:1: `/ws` stands twice",
            "a.toml:2: a dialect has either `namespaces` or `paths`: the wire is another one",
            "a.toml:4: only Socket.IO has a CONNECT: here a connection opens as it is",
            "a.toml:8: an envelope has one payload: `args` holds one at most",
            "a.toml:9: only Socket.IO acknowledges: an envelope is answered by `answers`",
        ],
    );
    check_files(
        &[file("a", "paths = \"/ws\""), file("b", "paths = [\"/b\", \"/ws\"]")],
        &["b.toml: `/ws` belongs to dialect `a` already"],
    );
    assert!(
        Dialects::compile(&[file("a", "paths = \"/\""), file("b", "namespaces = \"/\"")]).is_ok()
    );
}

#[test]
fn broken_toml_is_told_with_its_line_and_nothing_else_is() {
    let text = "namespaces = \"/\"\nids = \nclient = 5\nids = \"texts\"";
    let faults = Dialects::compile(&[source("test", text)]).unwrap_err();
    let lines: Vec<usize> = faults.0.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [2, 4], "{faults}");
}

#[test]
fn head_keys_are_checked() {
    check_files(
        &[source("test", "ids = \"number\"\nnamespaces = [\"/\", \"/\"]\n[refused]\nevent = 5")],
        &[
            "test.toml:1: unknown spelling of ids `number` (did you mean `numbers`?)",
            "test.toml:2: `/` stands twice",
            "test.toml:3: `payload` is missing",
            "test.toml:4: `event` must be a text",
        ],
    );
    check("text_max = {}", &["test.toml:3: `text_max` holds either `bytes` or `characters`"]);
    check(
        "text_max = { bytes = 0 }",
        &[
            "test.toml:3: `bytes` must be a whole number from 1",
            "test.toml:3: `text_max` holds either `bytes` or `characters`",
        ],
    );
    check(
        "[rates]\nevents = { times = 1 }\nmesages = {}",
        &[
            "test.toml:4: `events` needs `times` and `seconds`",
            "test.toml:5: unknown key `mesages` (did you mean `messages`?)",
        ],
    );
    check(
        "[codes]\nROOM_NOTFOUND = \"X\"\nBUSY = { code = \"X\" }",
        &[
            "test.toml:4: unknown code `ROOM_NOTFOUND` (did you mean `ROOM_NOT_FOUND`?)",
            "test.toml:5: `message` is missing",
        ],
    );
    check_files(
        &[source("A b", RIGHT)],
        &["A b.toml:1: a dialect's name holds 1 to 32 small letters, digits, - and _"],
    );
}

#[test]
fn a_client_event_needs_a_known_command() {
    check(
        "[[client]]\nevent = \"a\"\nargs = '[]'\ndoes = \"room.jion\"",
        &["test.toml:6: unknown command `room.jion` (did you mean `room.join`?)"],
    );
    check(
        "[[client]]\nevent = \"disconnect\"\nreplay = ''",
        &[
            "test.toml:3: `args` is missing",
            "test.toml:3: `does` is missing",
            "test.toml:4: `disconnect` cannot be an event's name",
            "test.toml:5: unknown key `replay` (did you mean `reply`?)",
        ],
    );
    let event = "[[client]]\nevent = \"a\"\nargs = '[\"$room\"]'\ndoes = \"room.join\"\n";
    check(&event.repeat(2), &["test.toml:8: `a` stands in line 4 already"]);
}

#[test]
fn arguments_hold_the_names_of_their_command() {
    check_join(
        "args = ['[\"$romm\"]', '[\"$text\"]']",
        &[
            "test.toml:4: `room.join` has no `$romm` (did you mean `$room`?)",
            "test.toml:4: `room.join` has no `$text` (known: $room, $since, $user.id, $user.name, $user.role)",
        ],
    );
    check_join(
        "args = '[\"$since\"]'",
        &["test.toml:4: `room.join` needs `$room`, which is missing"],
    );
    check_join("args = '[\"$room?\"]'", &["test.toml:4: `room.join` needs `$room`: drop the `?`"]);
    check_join(
        "args = '''[\n{ \"a\": \"$room\",\n\"b\": \"$room\" }]'''",
        &["test.toml:6: `$room` has a value already"],
    );
    check_join(
        "args = '[\"$room\", 5, [], \"x\"]'",
        &[
            "test.toml:4: a pattern holds objects and \"$names\" only",
            "test.toml:4: a pattern holds objects and \"$names\" only",
            "test.toml:4: `x` is no name: names begin with `$`",
        ],
    );
    check_join(
        "args = '\"$room\"'",
        &["test.toml:4: `args` must be a list of arguments, like '[\"$room\"]'"],
    );
    check_join("args = []", &["test.toml:4: `args` must be a text or a list of texts"]);
    check_join(
        "args = ['[]']\nwith = { rom = \"\", room = \"\" }",
        &["test.toml:5: `room` is empty", "test.toml:5: unknown key `rom` (did you mean `room`?)"],
    );
}

#[test]
fn json_in_a_file_is_json() {
    check_join("args = '''[\n\"$room\",\n]'''", &["test.toml:6: no JSON: expected value"]);
    check_payload("'{ \"a\": 1, \"a\": 2 }'", &["test.toml:4: `a` stands twice in one object"]);
    check_payload("'\"\\ud800\"'", &["test.toml:4: half a surrogate is no text"]);
    check_payload(&format!("'{}'", "[".repeat(200)), &["test.toml:4: nested too deep"]);
}

#[test]
fn an_answer_holds_the_names_of_its_command() {
    check_join(
        "args = '[\"$room\"]'\nreply = '{ \"at\": \"$at\", \"ok\": 1 }'",
        &[
            "test.toml:5: `ok` is written by itself",
            "test.toml:5: there is no `$at` here (known: $room, $room.name, $room.description, $room.visibility, $position, $resumed, $missed, $room.created_at, $members, $messages, $users)",
        ],
    );
    check_join(
        "args = '[\"$room\"]'\nreply = '[]'",
        &["test.toml:5: `reply` must be a JSON object"],
    );
    check_join(
        "args = '[\"$room\"]'\nanswers = [{ event = \"x\", payload = '\"$rom\"' }]",
        &["test.toml:5: there is no `$rom` here (did you mean `$room`?)"],
    );
    check_join(
        "args = '[\"$room\"]'\nrefused = { event = \"x\", payload = '\"$room\"' }",
        &[
            "test.toml:5: there is no `$room` here (known: $error.code, $error.message, $error.outcome, $error.details, $error.retry_after_ms)",
        ],
    );
}

#[test]
fn a_payload_holds_the_names_of_its_occasion() {
    check_payload(
        "'{ \"why\": \"$reason\" }'",
        &["test.toml:4: `$reason` is not always there: write `$reason?`"],
    );
    check_payload(
        "'[\"$reason?\"]'",
        &["test.toml:4: `$reason?` can be left out only as a member of an object"],
    );
    check_payload(
        "'''{\n\"at\": \"$at\",\n\"...\": \"$room\" }'''",
        &["test.toml:6: `...` takes `$metadata` and nothing else"],
    );
    check_payload(
        "'\"$roon\"'",
        &["test.toml:4: there is no `$roon` here (did you mean `$room`?)"],
    );
}

#[test]
fn a_server_event_has_an_occasion_and_an_audience() {
    check(
        "[[server]]\non = \"room.close\"\nto = \"everyone\"\nevent = \"a\"\npayload = '{}'",
        &[
            "test.toml:4: nothing happens on `room.close` (did you mean `room.closed`?)",
            "test.toml:5: unknown audience `everyone` (known: all, others)",
        ],
    );
    let event = "[[server]]\non = \"room.closed\"\nto = \"all\"\nevent = \"a\"\npayload = '{}'\n";
    check(&event.repeat(2), &["test.toml:9: `room.closed` has an event already"]);
    check(
        "[[server]]\non = [\"user.online\", \"user.offline\"]\nto = \"all\"\nevent = \"a\"\npayload = '{ \"s\": \"$status\" }'\n",
        &[
            "test.toml:7: there is no `$status` here (known: $room, $user.id, $user.name, $user.role, $user.side)",
        ],
    );
}

#[test]
fn two_dialects_share_a_namespace_but_no_event() {
    let event = |does: &str, name: &str| {
        format!("{RIGHT}[[client]]\nevent = \"a\"\nargs = '[\"${name}\"]'\ndoes = \"{does}\"\n")
    };
    let (join, token) = (event("room.join", "room"), event("authenticate", "token"));
    check_files(
        &[source("a", &join), source("b", &join)],
        &["b.toml:4: dialect `a` claims `a` on `/` already"],
    );
    check_files(
        &[source("a", &join), source("b", &token)],
        &["b.toml:4: dialect `a` claims `a` on `/` already"],
    );
    assert!(Dialects::compile(&[source("a", &token), source("b", &token)]).is_ok());
    let elsewhere = join.replace("\"/\"", "\"/b\"");
    let both = Dialects::compile(&[source("a", &join), source("b", &elsewhere)]).unwrap();
    let packet = r#"["a","c1"]"#;
    assert_eq!(both.decode("/b", packet).unwrap().dialect, both.by_name("b").unwrap());
    assert_eq!(both.namespaces().len(), both.len());
}

#[test]
fn a_folders_files_add_dialects_and_replace_those_with_their_name() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("conversation.toml", RIGHT);
    write("sixth.toml", &RIGHT.replace("\"/\"", "[\"/\", \"/sixth\"]"));
    write("notes.txt", "no dialect");
    let dialects = Dialects::load(folder.path()).unwrap();
    let names: Vec<&str> = dialects.all.iter().map(|it| &**it.name()).collect();
    assert_eq!(names, ["case", "flow", "desk", "ticket", "conversation", "sixth"]);
    assert!(dialects.decode("/", r#"["conversation:join","c1"]"#).is_err());

    write("bad.toml", "");
    let faults = Dialects::load(folder.path()).unwrap_err();
    let file = folder.path().join("bad.toml").display().to_string();
    assert!(faults.0.iter().all(|fault| *fault.file == *file && fault.line == 1), "{faults}");
    assert!(Dialects::load(&folder.path().join("nowhere")).is_err());
}

#[test]
fn every_code_of_the_core_can_be_spelled() {
    use std::time::Duration;

    use crate::domain::refusal::{Outcome, Refusal};

    let retry_after = Duration::ZERO;
    let refusals = [
        Refusal::AuthRequired,
        Refusal::AccessDenied,
        Refusal::RoomNotFound,
        Refusal::NotAMember,
        Refusal::RoomClosed,
        Refusal::invalid(""),
        Refusal::UserNotFound,
        Refusal::RateLimited { retry_after },
        Refusal::UnknownEvent,
        Refusal::StorageFull,
        Refusal::Busy { retry_after },
        Refusal::Unavailable(Outcome::Refused),
    ];
    assert_eq!(refusals.map(|it| it.code()), CODES);
}

#[test]
fn a_choice_has_a_case_for_each_value() {
    let check = |cases: &str, expected: &[&str]| {
        let payload = format!("{{ \"as\": {{ \"$user.side\": {cases} }} }}");
        check(
            &format!(
                "[[server]]\non = \"room.left\"\nto = \"all\"\nevent = \"e\"\npayload = '{payload}'"
            ),
            expected,
        );
    };
    check(r#"{ "client": "user" }"#, &["test.toml:7: the case `agent` of `$user.side` is missing"]);
    check(
        r#"{ "client": "user", "agent": "$room", "agnet": 1 }"#,
        &[
            "test.toml:7: a case is a text or another plain value",
            "test.toml:7: `$user.side` is never `agnet` (known: client, agent)",
        ],
    );
    check("[]", &["test.toml:7: `$user.side` needs an object with its cases"]);
}
