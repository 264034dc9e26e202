//! What a route compares: decoding, prefixes, and what is left of a path without one.
#![no_main]

use evenkeel::semantics::{authority, path};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let _ = authority::host_for_matching(text);
    let _ = authority::Authority::parse(text);
    let (prefix, raw) = text.split_once('\n').unwrap_or(("/", text));
    let decoded = path::decode_for_matching(raw);
    let _ = path::has_dot_segments(&decoded);
    assert!(path::prefix_matches("/", &decoded) || !decoded.starts_with('/'));
    if let Some(rest) = path::strip_prefix(raw, prefix) {
        assert!(raw.ends_with(rest));
    }
    let mut encoded = Vec::new();
    path::encode_path(decoded.as_bytes(), &mut encoded);
    assert!(
        encoded
            .iter()
            .all(|byte| byte.is_ascii_graphic() && *byte != b'?' && *byte != b'#')
    );
});
