use super::*;
use crate::route::Reason;

/// Both orders in the file, so that only the rule can decide.
fn the_first_beats_the_second(first: (Match, i32), second: (Match, i32), host: &str, path: &str) {
    let winner = |routes: [&(Match, i32); 2]| {
        let table = Table::new(routes.map(|(pattern, priority)| (pattern, *priority)));
        route(&table, host, path)
    };
    assert_eq!(winner([&first, &second]), Some(0));
    assert_eq!(winner([&second, &first]), Some(1));
}

#[test]
fn an_exact_host_beats_a_wildcard_and_a_wildcard_beats_any() {
    let (exact, wildcard) = (host("a.b.test"), host("*.b.test"));
    the_first_beats_the_second((exact, 0), (wildcard.clone(), 9), "a.b.test", "/");
    the_first_beats_the_second((wildcard, 0), (anything(), 9), "a.b.test", "/");
}

#[test]
fn the_longest_wildcard_wins() {
    let (longer, shorter) = (host("*.b.test"), host("*.test"));
    the_first_beats_the_second((longer, 0), (shorter, 9), "a.b.test", "/");
}

#[test]
fn a_higher_priority_beats_a_closer_path() {
    the_first_beats_the_second((prefix("/"), 1), (exact("/x"), 0), "a.test", "/x");
    the_first_beats_the_second((anything(), 1), (regex("x"), 0), "a.test", "/x");
    the_first_beats_the_second((prefix("/a"), 0), (exact("/a/b"), -1), "a.test", "/a/b");
}

#[test]
fn an_exact_path_beats_a_regex_and_a_regex_beats_a_prefix() {
    the_first_beats_the_second((exact("/x/y"), 0), (regex("y"), 0), "a.test", "/x/y");
    the_first_beats_the_second((regex("y"), 0), (prefix("/x/y"), 0), "a.test", "/x/y");
}

#[test]
fn the_longest_prefix_wins_and_any_prefix_beats_none() {
    the_first_beats_the_second((prefix("/x/y"), 0), (prefix("/x"), 0), "a.test", "/x/y/z");
    the_first_beats_the_second((prefix("/"), 0), (anything(), 0), "a.test", "/x/y/z");
}

#[test]
fn a_longer_prefix_beats_more_predicates() {
    let narrow = Match {
        methods: vec![Method::GET],
        ..prefix("/x")
    };
    the_first_beats_the_second((prefix("/x/y"), 0), (narrow, 0), "a.test", "/x/y");
}

#[test]
fn more_predicates_win_between_equal_paths() {
    let narrow = Match {
        methods: vec![Method::GET],
        ..prefix("/x/")
    };
    let narrower = Match {
        listeners: vec!["main".to_owned()],
        ..narrow.clone()
    };
    the_first_beats_the_second((narrow.clone(), 0), (prefix("/x"), 0), "a.test", "/x");
    the_first_beats_the_second((narrower, 0), (narrow, 0), "a.test", "/x");
}

#[test]
fn between_regexes_the_file_order_comes_before_predicates() {
    let narrow = Match {
        methods: vec![Method::GET],
        ..regex("y")
    };
    let table = table(&[regex("x"), narrow]);
    assert_eq!(route(&table, "a.test", "/x/y"), Some(0));
}

#[test]
fn file_order_decides_last() {
    let table = table(&[prefix("/x"), prefix("/x/"), prefix("/%78")]);
    assert_eq!(route(&table, "a.test", "/x"), Some(0));
}

#[test]
fn the_less_specific_route_takes_over_where_a_predicate_fails() {
    let narrow = Match {
        methods: vec![Method::POST],
        ..exact("/x")
    };
    let table = table(&[narrow, anything()]);
    assert_eq!(route(&table, "a.test", "/x"), Some(1));
}

#[test]
fn an_empty_table_has_no_route() {
    assert_eq!(route(&table(&[]), "a.test", "/"), None);
}

#[test]
fn the_reason_named_for_a_victory_is_the_rule_that_decided() {
    let narrow = Match {
        methods: vec![Method::GET],
        ..prefix("/x")
    };
    let routes = [
        (host("a.test"), 0),
        (exact("/x"), 1),
        (exact("/x"), 0),
        (narrow, 0),
        (prefix("/x"), 0),
        (prefix("/x"), 0),
    ];
    let table = Table::new(
        routes
            .iter()
            .map(|(pattern, priority)| (pattern, *priority)),
    );
    let considered = table.consider(&get("a.test", "/x", &HeaderMap::new()));
    let reasons: Vec<_> = considered
        .windows(2)
        .map(|pair| pair[0].precedence.decided_by(&pair[1].precedence))
        .collect();
    assert_eq!(
        reasons,
        [
            Reason::Host,
            Reason::Priority,
            Reason::Path,
            Reason::Predicates,
            Reason::FileOrder
        ]
    );
}
