//! Templates: one that is taken is rendered, and stays one line.
#![no_main]

use evenkeel::template::{Template, Values, Variable};
use libfuzzer_sys::fuzz_target;

struct One;

impl Values for One {
    fn append(&self, _: &Variable, out: &mut Vec<u8>) {
        out.push(b'1');
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Template::parse(text) {
        Ok(template) => {
            let mut out = Vec::new();
            template.render(&One, &mut out);
            assert!(!out.iter().any(|byte| *byte < b' ' && *byte != b'\t'));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
