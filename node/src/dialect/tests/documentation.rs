//! `docs/dialects.md` says what the code does.

use crate::dialect::deed::{Asked, Deed};
use crate::dialect::occasion::Occasion;
use crate::dialect::tests::compiled;
use crate::dialect::word::Word;
use crate::domain::refusal::CODES;

const DOCUMENT: &str = include_str!("../../../../docs/dialects.md");

/// The row of a table that begins with `first`, in the section after `heading`.
fn row(heading: &str, first: &str) -> &'static str {
    let (_, section) = DOCUMENT.split_once(heading).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let is_row = |line: &&str| line.split('|').nth(1).is_some_and(|it| it.contains(first));
    section.lines().find(is_row).unwrap_or_else(|| panic!("no row {first} in {heading}"))
}

/// The `$names` of a text, in order.
fn names(text: &str) -> Vec<&str> {
    text.split('`').filter_map(|it| it.strip_prefix('$')).collect()
}

#[test]
fn the_example_is_a_right_file() {
    let (_, example) = DOCUMENT.split_once("```toml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    assert!(compiled(example).decode("/helpline", r#"["enter",5]"#).is_ok());
}

#[test]
fn every_command_is_documented_with_its_names() {
    for deed in Deed::ALL {
        let first = format!("`{}`", deed.as_str());
        let expected = [deed.required(), deed.optional()].concat();
        let expected: Vec<&str> = expected.into_iter().map(Asked::as_str).collect();
        assert_eq!(names(row("What clients may ask", &first)), expected);
        let expected: Vec<&str> = deed.offer().always.iter().map(|it| it.as_str()).collect();
        assert_eq!(names(row("What `reply` and `answers` can say", &first)), expected);
    }
}

#[test]
fn every_occasion_is_documented_with_its_names() {
    let texts = |words: &[Word]| words.iter().map(|it| it.as_str()).collect::<Vec<_>>();
    for occasion in Occasion::ALL {
        let row = row("What clients hear", &format!("`{}`", occasion.as_str()));
        let (always, sometimes) = row.split_once("perhaps").unwrap_or((row, ""));
        assert_eq!(names(always), texts(occasion.offer().always));
        assert_eq!(names(sometimes), texts(occasion.offer().sometimes));
    }
}

#[test]
fn every_code_is_documented() {
    let (_, codes) = DOCUMENT.split_once("## Codes").unwrap();
    let codes = codes.split("\n## ").next().unwrap();
    let documented: Vec<&str> = codes.split('`').skip(1).step_by(2).collect();
    assert_eq!(documented, CODES);
}
