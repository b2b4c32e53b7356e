//! What gateways made of one frame, kept so that it is made once and not once per connection.

use std::sync::{Arc, OnceLock};

/// How a gateway writes a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// As it is.
    Plain,
    /// In fewer bytes, for those who can read them.
    Deflated,
}

/// One form per namespace and coding. A node serves a handful, and most frames are heard in one.
#[derive(Debug, Default)]
pub(super) struct Forms {
    first: OnceLock<Box<Form>>,
}

#[derive(Debug)]
struct Form {
    namespace: Arc<str>,
    coding: Coding,
    bytes: Box<[u8]>,
    next: OnceLock<Box<Self>>,
}

impl Forms {
    /// The form for `namespace` in this coding, written now if it is the first time.
    pub(super) fn get_or_write(
        &self,
        (namespace, coding): (&Arc<str>, Coding),
        write: impl FnOnce() -> Vec<u8>,
    ) -> &[u8] {
        let mut write = Some(write);
        let mut place = &self.first;
        loop {
            let form = place.get_or_init(|| {
                // Taken only by the call that ends the loop: the new form is the one that is asked.
                let bytes = write.take().map(|write| write()).unwrap_or_default();
                let namespace = Arc::clone(namespace);
                Box::new(Form { namespace, coding, bytes: bytes.into(), next: OnceLock::new() })
            });
            if form.coding == coding && form.namespace == *namespace {
                return &form.bytes;
            }
            place = &form.next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_namespace_and_coding_has_its_own_form_and_it_is_written_once() {
        let forms = Forms::default();
        let namespaces: [Arc<str>; 3] = ["/".into(), "/chat".into(), "/desk".into()];
        let codings = [Coding::Plain, Coding::Deflated];
        let text = |namespace: &Arc<str>, coding| format!("{namespace} {coding:?}").into_bytes();
        let keys = namespaces.iter().flat_map(|it| codings.map(|coding| (it, coding)));
        for (namespace, coding) in keys.clone() {
            let expected = text(namespace, coding);
            assert_eq!(forms.get_or_write((namespace, coding), || expected.clone()), expected);
        }
        for key @ (namespace, coding) in keys {
            let kept = forms.get_or_write(key, || panic!("written again"));
            assert_eq!(kept, text(namespace, coding));
        }
    }
}
