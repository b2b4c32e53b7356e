//! Files in any protocol that asks for them: how they are read, and how they are told.

use std::sync::Arc;

use crate::dialect::tests::samples::{entry, message};
use crate::dialect::tests::telling::told_by;
use crate::dialect::{Dialects, LinkTo};
use crate::domain::attachment::{Attachment, BlobId};
use crate::domain::command::Command;
use crate::domain::event::Event;

fn heard(argument: &str) -> String {
    let packet = format!(r#"["send_message",{{"ticketId":"1",{argument}}}]"#);
    match Dialects::builtin().decode("/ticket", &packet).map(|it| it.command) {
        Ok(Command::Send(draft)) => {
            let files = draft.uploads.iter().map(|it| format!(" {it:?}"));
            draft.text + &files.collect::<String>()
        }
        Ok(other) => format!("{other:?}"),
        Err(malformed) => malformed.refusal.to_string(),
    }
}

#[test]
fn files_are_read_as_texts_and_nothing_more() {
    let check =
        |argument: &str, expected: &str| assert_eq!(heard(argument), expected, "{argument}");
    check(
        r#""message":"see","attachments":[{"name":"a.pdf","type":"application\/pdf","data":"YQ=="}]"#,
        r#"see Upload { name: "a.pdf", media_type: "application/pdf", data_bytes: 4 }"#,
    );
    check(
        r#""message":" ","attachments":[{"data":"YQ==","name":"a","type":null},{"name":"b","data":"","x":1}]"#,
        r#"  Upload { name: "a", media_type: "", data_bytes: 4 } Upload { name: "b", media_type: "", data_bytes: 0 }"#,
    );
    check(r#""message":"a","attachments":null"#, "a");
    check(r#""message":"a","attachments":[]"#, "a");
    check(r#""message":"","attachments":[]"#, "message is empty");
    check(r#""message":"\n""#, "message is empty");
    check(r#""attachments":[{"name":"a","data":"YQ=="}]"#, "message is missing");
    check(r#""message":"a","attachments":{}"#, "attachments must be a list");
    let first = "attachments hold a file without a name or without data as texts (number 1)";
    for file in [
        "5",
        "null",
        "{}",
        r#"{"name":"a.pdf"}"#,
        r#"{"data":"YQ=="}"#,
        r#"{"name":"a","data":{}}"#,
        r#"{"name":7,"data":"YQ=="}"#,
        r#"{"name":"a","data":"YQ==","type":[]}"#,
        r#"{"name":"\ud800","data":"YQ=="}"#,
        &format!(r#"{{"name":"{}","data":"YQ=="}}"#, "a".repeat(4097)),
    ] {
        check(&format!(r#""message":"a","attachments":[{file}]"#), first);
    }
}

#[test]
fn only_so_many_files_are_looked_at() {
    let many = |count: usize| {
        let files = vec![r#"{"name":"a","data":"YQ=="}"#; count].join(",");
        heard(&format!(r#""message":"","attachments":[{files}]"#))
    };
    assert_eq!(many(10).matches("Upload").count(), 10);
    for count in [11, 1_000] {
        assert_eq!(many(count), "attachments are more than 10 files");
    }
}

#[test]
fn only_a_dialect_that_spells_files_tells_them_and_signs_anew() {
    let file = Attachment {
        id: BlobId::random(),
        name: "<a>.csv".to_owned(),
        media_type: "text/csv".to_owned(),
        size: 7,
    };
    let Event::MessagePosted(mut message) = message("") else { unreachable!() };
    message.attachments = vec![file.clone(), file.clone()];
    let notice = entry(Event::MessagePosted(message));
    let link: LinkTo = Arc::new(|it| format!("https://c/{}", it.id));
    let dialects = Dialects::builtin().with_links(&link);
    let told = |name: &str| told_by(dialects.get(dialects.by_name(name).unwrap()), &notice);
    let id = file.id;
    let spelled = format!(
        r#"{{"id":"{id}","name":"&lt;a&gt;.csv","type":"text/csv","size":7,"url":"https://c/{id}"}}"#
    );
    let files = format!(r#""message":"","attachments":[{spelled},{spelled}],"#);
    assert!(told("ticket").contains(&files), "{}", told("ticket"));
    assert!(told("conversation").contains(r#""content":"""#), "{}", told("conversation"));
    assert!(!told("conversation").contains("csv"));
}
