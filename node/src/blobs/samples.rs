//! Small files of every kind for tests.

/// A ZIP archive with empty files of these names.
pub(crate) fn archive(names: &[&str]) -> Vec<u8> {
    let (mut files, mut directory) = (Vec::new(), Vec::new());
    for name in names {
        let length = u16::try_from(name.len()).unwrap().to_le_bytes();
        let offset = u32::try_from(files.len()).unwrap().to_le_bytes();
        files.extend([b"PK\x03\x04".as_slice(), &[20, 0], &[0; 20], &length, &[0; 2]].concat());
        files.extend(name.as_bytes());
        let head = [b"PK\x01\x02".as_slice(), &[20, 0, 20, 0], &[0; 20], &length, &[0; 12]];
        directory.extend([&head.concat(), offset.as_slice(), name.as_bytes()].concat());
    }
    let count = u16::try_from(names.len()).unwrap().to_le_bytes();
    let size = u32::try_from(directory.len()).unwrap().to_le_bytes();
    let offset = u32::try_from(files.len()).unwrap().to_le_bytes();
    let end = [b"PK\x05\x06".as_slice(), &[0; 4], &count, &count, &size, &offset, &[0; 2]].concat();
    [files, directory, end].concat()
}

/// An office document whose own part is `part`.
pub(crate) fn document(part: &str) -> Vec<u8> {
    archive(&["[Content_Types].xml", "_rels/.rels", part])
}

/// A file of each kind: its name, its media type and its bytes.
pub(crate) fn one_of_each() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    const OFFICE: [&str; 3] = [
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ];
    vec![
        ("a.png", "image/png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec()),
        ("a.jpg", "image/jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF\0".to_vec()),
        ("a.gif", "image/gif", b"GIF89a\x01\0\x01\0\0\0\0;".to_vec()),
        ("a.webp", "image/webp", b"RIFF\x1a\0\0\0WEBPVP8L".to_vec()),
        ("a.pdf", "application/pdf", b"%PDF-1.7\n%%EOF".to_vec()),
        ("a.txt", "text/plain", "Grüße <3\r\n\tx < y".as_bytes().to_vec()),
        ("a.csv", "text/csv", b"name,count\na,1\n".to_vec()),
        ("a.zip", "application/zip", archive(&["readme.txt", "word/notes.txt"])),
        ("a.docx", OFFICE[0], document("word/document.xml")),
        ("a.xlsx", OFFICE[1], document("xl/workbook.xml")),
        ("a.pptx", OFFICE[2], document("ppt/presentation.xml")),
        ("a.mp3", "audio/mpeg", b"\xff\xfb\x90\x64\0\0\0\0".to_vec()),
        ("a.mp4", "video/mp4", b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2".to_vec()),
    ]
}
