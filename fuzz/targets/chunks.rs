//! The walk over a chunked body: however the bytes are cut, it comes to the same end.
#![no_main]

use evenkeel::semantics::chunked::Chunked;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = Chunked::default().advance(bytes);
    let mut pieces = Some((0, Chunked::default()));
    for piece in bytes.chunks(usize::from(*cut).max(1)) {
        let Some((taken, walk)) = pieces else {
            break;
        };
        if walk.is_complete() {
            break;
        }
        pieces = walk.advance(piece).map(|(more, walk)| (taken + more, walk));
    }
    // A fault behind the end of a message is nobody's.
    assert_eq!(whole, pieces);
    if let Some((taken, walk)) = whole {
        assert!(taken <= bytes.len());
        assert!(walk.is_complete() || taken == bytes.len());
        assert!(!walk.is_complete() || bytes[..taken].ends_with(b"\r\n\r\n"));
    }
});
