//! Names of files: what a client calls one, made safe to show and to save.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Longest name in bytes: file systems take 255, and a saving browser may add ` (2)`.
const NAME_BYTES_MAX: usize = 200;

/// Longest ending in bytes that is kept when a name is cut.
const ENDING_BYTES_MAX: usize = 16;

/// A name that can be shown, saved and linked to.
///
/// What would lead somewhere else is refused, also where it is percent-encoded, because somebody
/// will decode it. What only deceives the eye or does not fit is taken away.
///
/// # Errors
/// It holds a path or a control character, or nothing is left of it.
pub(super) fn clean(name: &str) -> Result<String, &'static str> {
    let shown: String = name.chars().filter(|it| !is_invisible(*it)).collect();
    let decoded = percent_decode_str(&shown).decode_utf8_lossy();
    for form in [shown.as_str(), &decoded] {
        if form.contains(['/', '\\']) {
            return Err("holds a path");
        }
        if form.contains(char::is_control) {
            return Err("holds a control character");
        }
    }
    // Windows drops dots and spaces at a name's end; a dot at its begin hides a file elsewhere.
    let cut = cut(shown.trim_matches(is_edge));
    let cleaned = cut.trim_matches(is_edge);
    if cleaned.is_empty() { Err("is empty") } else { Ok(cleaned.to_owned()) }
}

/// The part of a name behind its last dot.
pub(super) fn ending(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|it| it.1)
}

fn is_edge(c: char) -> bool {
    c == '.' || c.is_whitespace()
}

/// Characters without a shape: some turn the text around them, so that an ending looks like another.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The name within its bound, its ending kept.
fn cut(name: &str) -> Cow<'_, str> {
    if name.len() <= NAME_BYTES_MAX {
        return Cow::Borrowed(name);
    }
    match name.rsplit_once('.').filter(|it| it.1.len() <= ENDING_BYTES_MAX) {
        Some((stem, ending)) => {
            let stem = &stem[..stem.floor_char_boundary(NAME_BYTES_MAX - 1 - ending.len())];
            Cow::Owned(format!("{stem}.{ending}"))
        }
        None => Cow::Borrowed(&name[..name.floor_char_boundary(NAME_BYTES_MAX)]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            "../../x",
            "..\\x",
            "/etc/passwd",
            "C:\\x.png",
            "a/b.png",
            "%2e%2e%2fx.png",
            "a%5Cb",
            "a\0.png",
            "a%00.png",
            "a\n.png",
            "a%0d%0a.png",
            "a\u{1b}[2J.png",
            "\u{7f}",
            "\u{85}",
            "%\u{200b}2fa.png",
            "",
            " ",
            "..",
            "...",
            ". .",
            "\u{202e}",
            "%00",
        ] {
            assert!(clean(name).is_err(), "{name:?} was taken as {:?}", clean(name));
        }
    }

    #[test]
    fn names_that_deceive_or_do_not_fit_are_mended() {
        for (name, expected) in [
            ("photo.png", "photo.png"),
            ("Überblick – März 100%.pdf", "Überblick – März 100%.pdf"),
            ("  .hidden.txt. ", "hidden.txt"),
            ("cod\u{202e}gnp.exe", "codgnp.exe"),
            ("a\u{200b}b.csv", "ab.csv"),
            ("a <b> \"c\"; d.txt", "a <b> \"c\"; d.txt"),
        ] {
            assert_eq!(clean(name), Ok(expected.to_owned()), "{name:?}");
        }
        let long = clean(&format!("{}.docx", "ü".repeat(500))).unwrap();
        assert!(long.len() <= NAME_BYTES_MAX && long.ends_with("ü.docx"), "{long}");
        let endless = clean(&format!("a.{}", "x".repeat(500))).unwrap();
        assert_eq!(endless.len(), NAME_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn a_clean_name_is_safe_and_stays_as_it_is(name in any::<String>()) {
            if let Ok(cleaned) = clean(&name) {
                prop_assert!(cleaned.len() <= NAME_BYTES_MAX && !cleaned.is_empty());
                prop_assert!(!cleaned.contains(['/', '\\', '\0', '\n', '\r']));
                prop_assert!(!cleaned.starts_with('.') && !cleaned.ends_with('.'));
                prop_assert_eq!(clean(&cleaned), Ok(cleaned.clone()));
            }
        }

        #[test]
        fn a_cut_name_keeps_its_ending(stem in "[a-zü€.]{0,300}", ending in "[a-z]{1,5}") {
            let name = format!("x{stem}x.{ending}");
            let cleaned = clean(&name).unwrap();
            prop_assert_eq!(super::ending(&cleaned), Some(ending.as_str()));
        }
    }
}
