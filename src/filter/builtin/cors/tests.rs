//! Whose origin is allowed; what of it reaches the wire is in tests/e2e/cors.rs.

use super::*;
use crate::config::Filter as Written;
use crate::filter::builtin::tests::written;
use proptest::prelude::*;

fn origins(listed: &str) -> Origins {
    let filter = format!("{{cors: {{allow_origins: {listed}}}}}");
    match written(&filter) {
        Written::Cors(cors) => Origins::new(&cors.origins),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_origin_is_allowed_as_a_whole_or_by_the_labels_before_a_domain() {
    let listed = origins(
        "['https://app.example.com', 'https://*.example.org', 'https://*.dev.example.org:8443', 'http://localhost:3000']",
    );
    for allowed in [
        "https://app.example.com",
        "https://a.example.org",
        "https://a.b-c.example.org",
        "https://x.dev.example.org:8443",
        "http://localhost:3000",
    ] {
        assert!(listed.hold(allowed), "{allowed}");
    }
    for refused in [
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.test",
        "https://xapp.example.com",
        "https://example.org",
        "https://.example.org",
        "https://a..example.org",
        "https://evilexample.org",
        "https://evil.test/.example.org",
        "https://evil.test?.example.org",
        "https://evil.test#.example.org",
        "https://evil.test:1.example.org",
        "https://me@evil.test\\.example.org",
        "https://a.example.org:8443",
        "http://a.example.org",
        "https://x.dev.example.org:443",
        "http://localhost",
        "null",
        "*",
        "",
    ] {
        assert!(!listed.hold(refused), "{refused}");
    }
    assert!(origins("['null']").hold("null"));
    assert!(!origins("['https://*.test']").hold("null"));
}

proptest! {
    /// Seen failing with the labels not looked at.
    #[test]
    fn whoever_a_wildcard_allows_is_on_a_host_below_its_domain(
        host in "[a-z.@:/?#\\\\é-]{0,12}",
        end in prop::sample::select(vec![".example.org", "example.org", ".example.org:1", ".example.org/", ""]),
    ) {
        let origin = format!("https://{host}{end}");
        if origins("['https://*.example.org']").hold(&origin) {
            let url: http::Uri = origin.parse().unwrap();
            prop_assert_eq!(url.scheme_str(), Some("https"));
            prop_assert_eq!(url.authority().map(|authority| authority.as_str()), url.host());
            prop_assert!(url.host().unwrap().ends_with(".example.org"));
            prop_assert_eq!((url.path(), url.query()), ("/", None));
        }
    }
}
