//! The check of a head: it refuses or passes, and what it passes has the parts that everything behind it counts on.
#![no_main]

use evenkeel::semantics::{framing, head, request_line};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = head::Limits::default();
    let _ = request_line::read(bytes);
    let _ = head::too_large(bytes, &limits);
    let Some(length) = framing::head_length(bytes) else {
        return;
    };
    let written = &bytes[..length];
    if head::check(written, &limits).is_err() {
        return;
    }
    assert_ne!(
        framing::request_body(written),
        framing::RequestBody::Malformed
    );
    let line = request_line::read(written);
    assert!(line.method.is_some() && !line.target.is_empty() && line.version.is_some());
    if let Some(origin) = head::in_origin_form(written) {
        assert_eq!(
            head::check(
                &origin,
                &head::Limits {
                    headers: 101,
                    bytes: usize::MAX,
                    ..limits
                }
            ),
            Ok(())
        );
        assert_eq!(head::in_origin_form(&origin), None);
        assert_eq!(
            framing::request_body(&origin),
            framing::request_body(written)
        );
    }
});
