//! The kinds of files that are taken, and what each one is called.

/// A kind of file on the allow-list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Png,
    Jpeg,
    Gif,
    Webp,
    Pdf,
    Text,
    Csv,
    Zip,
    Docx,
    Xlsx,
    Pptx,
    Mp3,
    Mp4,
}

impl Kind {
    pub(super) const ALL: [Self; 13] = [
        Self::Png,
        Self::Jpeg,
        Self::Gif,
        Self::Webp,
        Self::Pdf,
        Self::Text,
        Self::Csv,
        Self::Zip,
        Self::Docx,
        Self::Xlsx,
        Self::Pptx,
        Self::Mp3,
        Self::Mp4,
    ];

    /// Its media types, the proper one first; the others are what systems in use call it.
    pub(super) fn media_types(self) -> &'static [&'static str] {
        match self {
            Self::Png => &["image/png", "image/x-png"],
            Self::Jpeg => &["image/jpeg", "image/jpg", "image/pjpeg"],
            Self::Gif => &["image/gif"],
            Self::Webp => &["image/webp"],
            Self::Pdf => &["application/pdf", "application/x-pdf"],
            Self::Text => &["text/plain", "text/markdown", "text/x-markdown"],
            // Windows gives tables to its spreadsheet program, and names them after it.
            Self::Csv => &[
                "text/csv",
                "application/csv",
                "text/comma-separated-values",
                "application/vnd.ms-excel",
                "text/plain",
            ],
            Self::Zip => &["application/zip", "application/x-zip-compressed", "application/x-zip"],
            Self::Docx => {
                &["application/vnd.openxmlformats-officedocument.wordprocessingml.document"]
            }
            Self::Xlsx => &["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"],
            Self::Pptx => {
                &["application/vnd.openxmlformats-officedocument.presentationml.presentation"]
            }
            Self::Mp3 => &["audio/mpeg", "audio/mp3", "audio/x-mpeg", "audio/x-mp3"],
            Self::Mp4 => &["video/mp4", "video/x-m4v"],
        }
    }

    /// The endings of its names, the usual one first.
    pub(super) fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Png => &["png"],
            Self::Jpeg => &["jpg", "jpeg", "jpe", "jfif"],
            Self::Gif => &["gif"],
            Self::Webp => &["webp"],
            Self::Pdf => &["pdf"],
            Self::Text => &["txt", "text", "log", "md"],
            Self::Csv => &["csv"],
            Self::Zip => &["zip"],
            Self::Docx => &["docx"],
            Self::Xlsx => &["xlsx"],
            Self::Pptx => &["pptx"],
            Self::Mp3 => &["mp3"],
            Self::Mp4 => &["mp4", "m4v"],
        }
    }

    /// The proper media type.
    pub(super) fn media_type(self) -> &'static str {
        self.media_types()[0]
    }

    /// The kind that a name's ending promises.
    pub(super) fn of_ending(ending: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.endings().iter().any(|e| e.eq_ignore_ascii_case(ending)))
    }

    /// Whether a declared media type may stand for this kind. One that says nothing may.
    pub(super) fn may_be_called(self, declared: &str) -> bool {
        let bare = declared.split(';').next().unwrap_or_default().trim();
        bare.is_empty()
            || bare.eq_ignore_ascii_case("application/octet-stream")
            || self.media_types().iter().any(|it| it.eq_ignore_ascii_case(bare))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_promises_one_kind() {
        for kind in Kind::ALL {
            for ending in kind.endings() {
                assert_eq!(Kind::of_ending(&ending.to_uppercase()), Some(kind), "{ending}");
            }
            assert!(kind.may_be_called(&format!("{}; charset=utf-8", kind.media_type())));
        }
        for ending in ["", "svg", "html", "exe", "docm", "js", "png "] {
            assert_eq!(Kind::of_ending(ending), None, "{ending}");
        }
    }

    #[test]
    fn a_declared_type_that_says_nothing_contradicts_nothing() {
        assert!(Kind::Png.may_be_called("") && Kind::Png.may_be_called("Application/Octet-Stream"));
        assert!(Kind::Png.may_be_called("IMAGE/PNG") && !Kind::Png.may_be_called("image/jpeg"));
        assert!(Kind::Csv.may_be_called("text/plain") && !Kind::Text.may_be_called("text/html"));
    }
}
