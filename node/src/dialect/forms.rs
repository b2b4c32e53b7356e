//! What gateways made of one frame, kept so that it is made once and not once per connection.

use std::sync::{Arc, OnceLock};

/// One form per namespace. A node serves a handful, and most frames are heard in one.
#[derive(Debug, Default)]
pub(super) struct Forms {
    first: OnceLock<Box<Form>>,
}

#[derive(Debug)]
struct Form {
    namespace: Arc<str>,
    bytes: Box<[u8]>,
    next: OnceLock<Box<Self>>,
}

impl Forms {
    /// The form for `namespace`, written now if it is the first time.
    pub(super) fn get_or_write(
        &self,
        namespace: &Arc<str>,
        write: impl FnOnce() -> Vec<u8>,
    ) -> &[u8] {
        let mut write = Some(write);
        let mut place = &self.first;
        loop {
            let form = place.get_or_init(|| {
                // Taken only by the call that ends the loop: the new form is of this namespace.
                let bytes = write.take().map(|write| write()).unwrap_or_default();
                let namespace = Arc::clone(namespace);
                Box::new(Form { namespace, bytes: bytes.into(), next: OnceLock::new() })
            });
            if form.namespace == *namespace {
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
    fn each_namespace_has_its_own_form_and_it_is_written_once() {
        let forms = Forms::default();
        let namespaces: [Arc<str>; 3] = ["/".into(), "/chat".into(), "/desk".into()];
        for namespace in &namespaces {
            let text = namespace.as_bytes();
            assert_eq!(forms.get_or_write(namespace, || text.to_vec()), text);
        }
        for namespace in &namespaces {
            let kept = forms.get_or_write(namespace, || panic!("written again"));
            assert_eq!(kept, namespace.as_bytes());
        }
    }
}
