use proptest::prelude::*;

use super::*;
use crate::blobs::samples::{archive, document, one_of_each};

#[test]
fn bytes_show_what_a_file_is() {
    for (name, media_type, bytes) in one_of_each() {
        let found = kind(&bytes).map(Kind::media_type);
        let expected = if name == "a.csv" { "text/plain" } else { media_type };
        assert_eq!(found, Some(expected), "{name}");
    }
    assert_eq!(kind(b"ID3\x04\0\0\0\0\0\0"), Some(Kind::Mp3));
    assert_eq!(kind(&archive(&[])), Some(Kind::Zip));
    assert_eq!(kind("\u{feff}text".as_bytes()), Some(Kind::Text));
}

#[test]
fn what_is_not_on_the_list_is_nothing() {
    let macros = archive(&["[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"]);
    for bytes in [
        b"MZ\x90\0\x03".as_slice(),
        b"\x7fELF\x02\x01\x01\0",
        b"\xcf\xfa\xed\xfe\x07\0\0\x01",
        b"#!/bin/sh\nrm -rf ~",
        b"<!DOCTYPE html><p>",
        b"\xef\xbb\xbf \n <HTML>",
        b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<svg onload='alert(1)'>",
        b"<script>alert(1)</script>",
        b"<?php phpinfo();",
        b"text with\0NUL",
        b"text with\x1b[2J",
        b"caf\xe9",
        b"\xff\xfet\0e\0x\0t\0",
        b"\0\0\0\x18ftypqt  ",
        b"\0\0\0\x18ftypheic",
        b"\xff\xfe\x90\x64",
        b"\xff\xfb\xf0\x64",
        b"PK\x03\x04 and nothing else",
        b"Rar!\x1a\x07\x01\0",
        b"\x1f\x8b\x08\0",
        &macros,
    ] {
        assert_eq!(kind(bytes), None, "{:?}", bytes.escape_ascii().to_string());
    }
}

#[test]
fn an_archive_that_is_cut_is_nothing() {
    let whole = document("word/document.xml");
    for length in 4..whole.len() {
        assert_eq!(kind(&whole[..length]), None, "{length} bytes");
    }
    let commented = [whole.as_slice(), &[0; 300]].concat();
    assert_eq!(kind(&commented), Some(Kind::Docx));
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes: Vec<u8>, at in 0_usize..300, with: [u8; 4]) {
        kind(&bytes);
        kind(&[b"PK\x03\x04".as_slice(), &bytes].concat());
        let mut broken = document("xl/workbook.xml");
        let at = at.min(broken.len() - 4);
        broken[at..at + 4].copy_from_slice(&with);
        kind(&broken);
        kind(&[broken.as_slice(), b"PK\x05\x06", &bytes].concat());
    }
}
