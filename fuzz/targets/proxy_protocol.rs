//! The header of the PROXY protocol: as soon as it is whole, it is the same, whatever stands behind it.
#![no_main]

use evenkeel::semantics::proxy_protocol;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some(header)) = proxy_protocol::read(bytes) else {
        return;
    };
    assert!(header.length <= bytes.len() && header.length > 0);
    let alone = proxy_protocol::read(&bytes[..header.length]);
    assert!(matches!(alone, Ok(Some(alone)) if alone.length == header.length));
    assert!(matches!(
        proxy_protocol::read(&bytes[..header.length - 1]),
        Ok(None)
    ));
});
