//! The file: whatever stands in it, it is taken or refused with faults that say where.
#![no_main]

use evenkeel::config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    // What names other files would read this machine's.
    if text.contains("cert") || text.contains("key") || text.contains("file") || text.contains("ca")
    {
        return;
    }
    if let Err(faults) = config::parse("fuzz.yaml", text, &|_| None) {
        assert!(!faults.to_string().is_empty());
    }
});
