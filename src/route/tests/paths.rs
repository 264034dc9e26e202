use super::*;

fn accepts(pattern: Match, sent: &str) -> bool {
    route(&table(&[pattern]), "a.test", sent).is_some()
}

#[test]
fn a_prefix_ends_at_a_segment_border() {
    for written in ["/api", "/api/"] {
        for sent in ["/api", "/api/", "/api/x", "/api/x/y"] {
            assert!(accepts(prefix(written), sent), "{written} {sent}");
        }
        for sent in ["/apix", "/ap", "/", "/x/api"] {
            assert!(!accepts(prefix(written), sent), "{written} {sent}");
        }
    }
}

#[test]
fn the_prefix_of_a_slash_is_every_path() {
    for sent in ["/", "/x", "//", "/x/y/"] {
        assert!(accepts(prefix("/"), sent), "{sent}");
    }
}

#[test]
fn an_exact_path_is_that_path_only() {
    assert!(accepts(exact("/x"), "/x"));
    for sent in ["/x/", "/x/y", "/X", "/", "/xx"] {
        assert!(!accepts(exact("/x"), sent), "{sent}");
    }
}

#[test]
fn an_empty_path_is_a_slash() {
    assert!(accepts(prefix("/"), ""));
    assert!(accepts(exact("/"), ""));
    assert!(!accepts(prefix("/api"), ""));
}

#[test]
fn the_asterisk_is_no_path_under_a_slash() {
    assert!(!accepts(prefix("/"), "*"));
    assert!(accepts(exact("*"), "*"));
    assert!(accepts(anything(), "*"));
}

#[test]
fn the_case_of_a_path_counts() {
    assert!(!accepts(prefix("/api"), "/API"));
    assert!(!accepts(exact("/api"), "/Api"));
}

#[test]
fn it_does_not_matter_which_side_is_percent_encoded() {
    for written in ["/caf%C3%A9", "/caf%c3%a9", "/café"] {
        for sent in ["/caf%C3%A9", "/%63af%c3%a9", "/café"] {
            assert!(accepts(prefix(written), sent), "{written} {sent}");
            assert!(accepts(exact(written), sent), "{written} {sent}");
        }
    }
    assert!(accepts(regex("^/café/"), "/caf%C3%A9/x"));
}

#[test]
fn a_path_is_decoded_only_once() {
    assert!(!accepts(exact("/a"), "/%2561"));
    assert!(accepts(exact("/%2561"), "/%2561"));
}

#[test]
fn an_encoded_slash_is_no_segment_border() {
    for encoded in ["/api%2Fx", "/api%2fx"] {
        assert!(!accepts(prefix("/api"), encoded), "{encoded}");
        assert!(!accepts(exact("/api/x"), encoded), "{encoded}");
        assert!(!accepts(regex("^/api/x$"), encoded), "{encoded}");
    }
    assert!(accepts(prefix("/api"), "/api/a%2Fb"));
}

#[test]
fn an_encoded_slash_is_the_same_in_either_case() {
    assert!(accepts(exact("/a%2fb"), "/a%2Fb"));
    assert!(accepts(exact("/a%2Fb"), "/a%2fb"));
}

#[test]
fn a_broken_escape_stands_for_itself() {
    assert!(accepts(prefix("/100%"), "/100%"));
    assert!(accepts(exact("/%zz"), "/%zz"));
    assert!(!accepts(exact("/"), "/%"));
}

#[test]
fn slashes_are_not_merged() {
    assert!(!accepts(prefix("/api"), "//api"));
    assert!(!accepts(exact("/api/x"), "/api//x"));
    assert!(accepts(prefix("/api"), "/api//x"));
    assert!(accepts(prefix("//api"), "//api/x"));
}

#[test]
fn dot_segments_are_not_resolved() {
    assert!(!accepts(exact("/api/x"), "/api/./x"));
    assert!(!accepts(prefix("/admin"), "/public/../admin"));
    assert!(accepts(prefix("/public"), "/public/../admin"));
    assert!(!accepts(prefix("/admin"), "/public/%2e%2e/admin"));
}

#[test]
fn the_target_in_absolute_form_is_matched_by_its_host_and_path() {
    let wanted = Match {
        path: Some(PathPattern::Prefix("/api".to_owned())),
        ..host("a.test")
    };
    let target: http::Uri = "http://A.test:8080/api/x?y=/z".parse().expect("a target");
    let authority = target.authority().expect("an authority").as_str();
    assert_eq!(route(&table(&[wanted]), authority, target.path()), Some(0));
}

#[test]
fn a_regex_is_searched_in_the_path_and_anchored_only_where_it_says_so() {
    assert!(accepts(regex(r"^/v\d+/"), "/v12/x"));
    assert!(!accepts(regex(r"^/v\d+/"), "/x/v12/"));
    assert!(accepts(regex(r"\.php$"), "/x/y.php"));
    assert!(!accepts(regex(r"\.php$"), "/x/y.php/z"));
}

#[test]
fn a_route_without_a_path_takes_every_path() {
    for sent in ["", "/", "/x", "*", "//"] {
        assert!(accepts(anything(), sent), "{sent}");
    }
}

#[test]
fn of_many_nested_prefixes_the_longest_on_a_border_wins() {
    let nested = ["/", "/a", "/a/b", "/a/bc", "/a/b/c/d", "/ab"];
    let table = table(&nested.map(prefix));
    for (sent, wanted) in [
        ("/", 0),
        ("/a", 1),
        ("/a/", 1),
        ("/abc", 0),
        ("/ab/c", 5),
        ("/a/b/c", 2),
        ("/a/bcd", 1),
        ("/a/bc/d", 3),
        ("/a/b/c/d", 4),
        ("/a/b/c/dd", 2),
    ] {
        assert_eq!(route(&table, "a.test", sent), Some(wanted), "{sent}");
    }
}

#[test]
fn of_many_regexes_the_first_in_the_file_wins_though_they_are_searched_together() {
    let table = table(&[regex("^/x/y"), regex("y$"), regex("(?i)^/X"), regex("z")]);
    for (sent, wanted) in [
        ("/x/y", Some(0)),
        ("/a/y", Some(1)),
        ("/x/z", Some(2)),
        ("/a/z", Some(3)),
        ("/a", None),
    ] {
        assert_eq!(route(&table, "a.test", sent), wanted, "{sent}");
    }
}

#[test]
fn regexes_that_cannot_be_joined_are_searched_one_by_one() {
    let table = table(&[regex("(?x) ^/a # verbose"), regex("^/b")]);
    assert_eq!(route(&table, "a.test", "/a"), Some(0));
    assert_eq!(route(&table, "a.test", "/b"), Some(1));
}
