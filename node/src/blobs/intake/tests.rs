use proptest::prelude::*;

use super::*;
use crate::blobs::samples::one_of_each;

fn upload(name: &str, media_type: &str, bytes: &[u8]) -> Upload {
    let data = BASE64.encode(bytes);
    Upload { name: name.to_owned(), media_type: media_type.to_owned(), data }
}

/// The name and type that a file gets, or why it is refused.
fn judged(upload: Upload) -> Result<(String, String), String> {
    let files = weigh(std::slice::from_ref(&upload)).and_then(|_| files(vec![upload]));
    let files = files.map_err(|refusal| {
        assert_eq!(refusal.code(), "INVALID_DATA");
        refusal.to_string()
    })?;
    let [file] = files.try_into().unwrap();
    assert_eq!(file.attachment.size, file.bytes.len() as u64);
    Ok((file.attachment.name, file.attachment.media_type))
}

#[test]
fn every_kind_on_the_list_is_taken() {
    for (name, media_type, bytes) in one_of_each() {
        let expected = Ok((name.to_owned(), media_type.to_owned()));
        assert_eq!(judged(upload(name, media_type, &bytes)), expected);
        assert_eq!(judged(upload(name, "", &bytes)), expected, "undeclared");
        let mut as_url = upload(name, media_type, &bytes);
        as_url.data = format!("data:{media_type};base64,{}", as_url.data);
        assert_eq!(judged(as_url), expected, "as a data: url");
    }
}

#[test]
fn names_get_the_ending_of_their_type() {
    let png = &one_of_each()[0].2;
    let named = |name: &str| judged(upload(name, "image/png", png)).map(|it| it.0);
    assert_eq!(named("blob"), Ok("blob.png".to_owned()));
    assert_eq!(named("Photo.PNG"), Ok("Photo.PNG".to_owned()));
    assert_eq!(named("page.html.png"), Ok("page.html.png".to_owned()));
}

#[test]
fn lies_are_refused() {
    let samples = one_of_each();
    let (png, text) = (&samples[0].2, &samples[5].2);
    let html = b"<!doctype html><script>alert(1)</script>";
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    for (upload, reason) in [
        (upload("a.png", "image/png", html), "is of a type that is not taken"),
        (upload("a.svg", "image/svg+xml", svg), "is of a type that is not taken"),
        (upload("a.txt", "text/plain", svg), "is of a type that is not taken"),
        (upload("a.html", "text/html", text), "is not what its name says"),
        (upload("a.png", "image/png", text), "is not what its name says"),
        (upload("a.exe", "", png), "is not what its name says"),
        (upload("a.jpg", "image/jpeg", png), "is not what its name says"),
        (upload("a.docx", "", &samples[7].2), "is not what its name says"),
        (upload("a.png", "image/jpeg", png), "is not of the type that it is declared as"),
        (upload("a.txt", "text/html", text), "is not of the type that it is declared as"),
        (upload("../../x", "image/png", png), "has a name that holds a path"),
        (upload("a%00.png", "image/png", png), "has a name that holds a control character"),
        (upload("", "image/png", png), "has a name that is empty"),
        (upload("a.txt", "", b""), "is empty"),
        (upload("a.exe", "", b"MZ\x90\0"), "is of a type that is not taken"),
    ] {
        assert_eq!(judged(upload.clone()), Err(format!("attachments[0] {reason}")), "{upload:?}");
    }
    let mut contradicted = upload("a.png", "image/png", png);
    contradicted.data = format!("data:text/html;base64,{}", contradicted.data);
    assert!(judged(contradicted).unwrap_err().contains("declared"));
}

#[test]
fn what_is_no_base64_is_refused() {
    for data in ["*", "Y", "YQ===", "Y Q==", "YQ\n==", "YQ==YQ==", "_-8=", "YR==", "data:,a", "é"]
    {
        let upload = Upload { data: data.to_owned(), ..upload("a.txt", "", b"") };
        assert!(judged(upload).unwrap_err().contains("is no base64"), "{data}");
    }
    let unpadded = Upload { data: "YQ".to_owned(), ..upload("a.txt", "", b"") };
    assert!(judged(unpadded).is_ok());
}

#[test]
fn bounds_hold_before_anything_is_decoded() {
    let of_bytes = |bytes: usize| upload("a.txt", "", &vec![b'a'; bytes]);
    let refused = |uploads: &[Upload]| weigh(uploads).unwrap_err().to_string();
    assert!(judged(of_bytes(FILE_BYTES_MAX)).is_ok());
    let mut too_large = of_bytes(FILE_BYTES_MAX + 1);
    too_large.data.replace_range(..1, "*"); // decoding it would say something else
    assert_eq!(refused(&[too_large]), "attachments[0] is larger than 10485760 bytes");
    assert_eq!(refused(&vec![of_bytes(1); 1000]), "attachments: at most 10 files");
    assert_eq!(
        refused(&vec![of_bytes(8_000_000); 3]),
        "attachments: at most 30000000 bytes in all"
    );
    assert_eq!(weigh(&vec![of_bytes(3); 10]), Ok(40));
}

proptest! {
    #[test]
    fn the_bound_knows_how_much_a_text_decodes_to(bytes: Vec<u8>, is_padded: bool) {
        let text = BASE64.encode(&bytes);
        let text = if is_padded { text.as_str() } else { text.trim_end_matches('=') };
        prop_assert_eq!(decoded_bytes(text), bytes.len());
    }

    #[test]
    fn no_text_decodes_to_more_than_its_bound(text: String) {
        if let Ok(bytes) = BASE64.decode(data(&text).1) {
            prop_assert!(bytes.len() <= decoded_bytes(data(&text).1));
        }
    }

    #[test]
    fn whatever_is_sent_is_judged(name: String, media_type: String, data: String) {
        drop(judged(Upload { name, media_type, data }));
    }
}
