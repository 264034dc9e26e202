//! Laws of the loader, for any text.

use evenkeel::config;
use proptest::prelude::*;

const NO_ENVIRONMENT: &dyn Fn(&str) -> Option<String> = &|_| None;

/// Pieces of which files are made, right and wrong; text at random would hardly ever be YAML.
const PIECES: &[&str] = &[
    "listeners:",
    "upstreams:",
    "routes:",
    "server:",
    "log:",
    "access_log:",
    "forwarded:",
    "embedded_backends:",
    "address:",
    "backends:",
    "health_check:",
    "http:",
    "tcp:",
    "match:",
    "path:",
    "host:",
    "upstream:",
    "respond:",
    "status:",
    "body:",
    "headers:",
    "interval:",
    "weight:",
    "level:",
    "name:",
    "web:",
    "web",
    "\n",
    "\n",
    "\n  ",
    "\n  ",
    "\n    ",
    "\n      ",
    "- ",
    "\n  - ",
    "\n- ",
    " ",
    "{",
    "}",
    "[",
    "]",
    ",",
    ": ",
    "\"",
    "'",
    "|\n",
    ">\n",
    "&a ",
    "*a",
    "<<: ",
    "!tag ",
    "!!int ",
    "#",
    "---\n",
    "...\n",
    "\t",
    "\u{0}",
    "\u{feff}",
    "ü",
    "0.0.0.0:8080",
    "127.0.0.1:1",
    ":",
    "-1",
    "0x10",
    "1e999",
    "99999999999999999999999999999999999999999999",
    ".nan",
    "~",
    "on",
    "true",
    "5s",
    "1h",
    "5",
    "${HOME}",
    "${",
    "${A:-b}",
    "$${",
    "$host",
    "/api/",
    "^/x(",
    "*.example.com",
    "[::1]:80",
    "?",
];

fn almost_a_file() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_text_makes_the_loader_panic(text in any::<String>()) {
        let _ = config::parse("any", &text, NO_ENVIRONMENT);
    }

    #[test]
    fn what_is_refused_is_refused_with_a_place_and_a_reason(text in almost_a_file()) {
        if let Err(faults) = config::parse("almost", &text, NO_ENVIRONMENT) {
            prop_assert!(faults.iter().next().is_some());
            for fault in faults.iter() {
                let position = fault.position.expect("a position in the text");
                let lines = text.lines().count();
                prop_assert!((1..=lines + 1).contains(&position.line));
                prop_assert!(!fault.message.is_empty());
                prop_assert!(!fault.to_string().contains('\n'), "more than one line: {fault}");
            }
        }
    }

    #[test]
    fn faults_stand_in_file_order(text in almost_a_file()) {
        if let Err(faults) = config::parse("almost", &text, NO_ENVIRONMENT) {
            let positions: Vec<_> = faults.iter().map(|fault| fault.position).collect();
            prop_assert!(positions.is_sorted());
        }
    }

    #[test]
    fn a_typo_anywhere_in_the_demo_never_panics(at in any::<prop::sample::Index>(), piece in prop::sample::select(PIECES)) {
        let mut text = std::fs::read_to_string("conf/reference.yaml").expect("conf/reference.yaml");
        let borders: Vec<usize> = text.char_indices().map(|(index, _)| index).collect();
        text.insert_str(*at.get(&borders), piece);
        let _ = config::parse("reference", &text, NO_ENVIRONMENT);
    }
}
