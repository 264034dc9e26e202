use proptest::prelude::*;

use super::*;

fn nodes(line: &str) -> Vec<Option<Option<&str>>> {
    let text = |bytes| std::str::from_utf8(bytes).expect("cut from text");
    let element = |element| Element::parse(element).map(|element| element.node.map(text));
    elements_from_right(line.as_bytes()).map(element).collect()
}

#[test]
fn elements_come_from_the_right() {
    let line = r#"for=192.0.2.43, for="[2001:db8:cafe::17]:4711";proto=http"#;
    assert_eq!(
        nodes(line),
        [
            Some(Some("[2001:db8:cafe::17]:4711")),
            Some(Some("192.0.2.43"))
        ]
    );
}

#[test]
fn parameter_names_have_no_case_and_no_order() {
    assert_eq!(
        nodes("Proto=https;FOR=192.0.2.1;by=_x"),
        [Some(Some("192.0.2.1"))]
    );
    assert_eq!(
        nodes("proto=https; For=192.0.2.1 ;"),
        [Some(Some("192.0.2.1"))]
    );
}

#[test]
fn commas_and_escaped_quotes_inside_quotes_are_no_border() {
    let line = r#"for=192.0.2.1;host="x\", for=6.6.6.6;y=\"", for=192.0.2.2"#;
    assert_eq!(
        nodes(line),
        [Some(Some("192.0.2.2")), Some(Some("192.0.2.1"))]
    );
    assert_eq!(
        nodes(r#"host="a,b\\", for=192.0.2.2"#),
        [Some(Some("192.0.2.2")), Some(None)]
    );
}

#[test]
fn an_unclosed_quote_spoils_only_what_stands_left_of_honest_elements() {
    assert_eq!(
        nodes(r#"for="6.6.6.6, for=192.0.2.2"#),
        [Some(Some("192.0.2.2")), None]
    );
}

#[test]
fn broken_elements_are_none() {
    let broken = [
        "for",
        "for=",
        "=x",
        "for =x",
        "for= x",
        "for=a b",
        "for=192.0.2.1:80",
        "for=[::1]",
        r#"for="x"#,
        r#"for="x"y"#,
        r#"for="x"y=1"#,
        "for=a by=b",
        "for=a;for=b",
        r#"for="x\""#,
    ];
    for element in broken {
        assert_eq!(Element::parse(element.as_bytes()), None, "{element}");
        for line in [format!("for=a, {element}"), format!("{element}, for=a")] {
            assert!(!is_well_formed(line.as_bytes()), "{line}");
        }
    }
}

#[test]
fn a_value_may_stand_bare_only_when_it_is_a_token() {
    assert!(is_token(b"192.0.2.1"));
    assert!(!is_token(b"example.com:80"));
    assert!(!is_token(b""));
}

proptest! {
    #[test]
    fn elements_are_the_line_again_when_put_together(line in "[a-c,;=\"\\\\]{0,30}") {
        let mut parts: Vec<&[u8]> = elements_from_right(line.as_bytes()).collect();
        parts.reverse();
        prop_assert_eq!(parts.join(&b","[..]), line.as_bytes());
    }

    #[test]
    fn what_is_put_behind_a_well_formed_line_is_its_last_element(line in "([fo]{1,2}=([a-b]{1,2}|\"([a-b,;]|\\\\\"){0,3}\")[;,]?){0,4}|[fo,;=\"\\\\]{0,12}") {
        let longer = format!("{line}, for=192.0.2.1");
        let mut elements = elements_from_right(longer.as_bytes());
        prop_assert_eq!(elements.next(), Some(&b"for=192.0.2.1"[..]));
        let before: Vec<&[u8]> = elements_from_right(line.as_bytes()).collect();
        prop_assert_eq!(elements.collect::<Vec<_>>(), before);
    }
}
