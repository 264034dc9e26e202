//! What holds for every request, forged ones above all.

use proptest::prelude::*;

use super::super::super::client_ip;
use super::*;

fn forged_names() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "x-real-ip",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-port",
        "forwarded",
        "x_real_ip",
        "x-forwarded_for",
        "accept",
        "cookie",
    ])
}

/// Any bytes that a header value may hold, and, more often, what an attacker would write.
fn forged_values() -> impl Strategy<Value = HeaderValue> {
    let bytes = prop_oneof![
        "[0-9a-f.,:;= \"\\\\]{0,20}".prop_map(String::into_bytes),
        "for=(6\\.6\\.6\\.6|\"?x)".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    bytes.prop_filter_map("no header value", |bytes| {
        HeaderValue::from_bytes(&bytes).ok()
    })
}

fn forged_requests() -> impl Strategy<Value = HeaderMap> {
    prop::collection::vec((forged_names(), forged_values()), 0..12).prop_map(|lines| {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, value);
        }
        headers
    })
}

fn policies() -> impl Strategy<Value = Policy> {
    let x_forwarded_for = prop::sample::select(vec![
        XForwardedFor::Append,
        XForwardedFor::Replace,
        XForwardedFor::Off,
    ]);
    (x_forwarded_for, any::<[bool; 5]>()).prop_map(
        |(x_forwarded_for, [proto, host, port, real_ip, rfc7239])| Policy {
            x_forwarded_for,
            x_forwarded_proto: proto,
            x_forwarded_host: host,
            x_forwarded_port: port,
            x_real_ip: real_ip,
            rfc7239,
            host: HostHeader::Preserve,
        },
    )
}

/// The one value of a header; none when there is no line or more than one.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?;
    lines.next().is_none().then_some(first.as_bytes())
}

proptest! {
    #[test]
    fn no_forged_request_of_an_untrusted_peer_deceives_a_backend(mut headers in forged_requests(), peer: IpAddr, claimed: IpAddr) {
        let facts = Facts { peer: Some(peer), client: Some(claimed), ..facts() };
        apply(&Policy::default(), &facts, &mut headers);
        let peer = peer.to_canonical().to_string();
        prop_assert_eq!(only(&headers, "x-real-ip"), Some(peer.as_bytes()));
        prop_assert_eq!(only(&headers, "x-forwarded-proto"), Some(&b"http"[..]));
        prop_assert_eq!(only(&headers, "x-forwarded-host"), Some(facts.host.as_bytes()));
        prop_assert_eq!(only(&headers, "x-forwarded-port"), Some(&b"8080"[..]));
        let list = only(&headers, "x-forwarded-for").expect("one line");
        let last = list.rsplit(|byte| *byte == b',').next().map(<[u8]>::trim_ascii);
        prop_assert_eq!(last, Some(peer.as_bytes()));
        prop_assert!(!headers.contains_key("forwarded"));
        prop_assert!(!headers.keys().any(is_lookalike));
    }

    #[test]
    fn the_last_forwarded_element_is_ours_whatever_stood_before(mut headers in forged_requests()) {
        let facts = Facts { host: "a", ..facts() };
        apply(&WITH_FORWARDED, &facts, &mut headers);
        let line = only(&headers, "forwarded").expect("one line");
        prop_assert!(rfc7239::is_well_formed(line));
        prop_assert_eq!(rfc7239::elements_from_right(line).next(), Some(&b"for=203.0.113.9;host=a;proto=http"[..]));
    }

    #[test]
    fn a_backend_that_trusts_us_finds_the_client(forged in forged_requests(), client: IpAddr, rfc7239: bool) {
        let us: IpAddr = "192.0.2.77".parse().expect("an address");
        let trusted = client_ip::TrustedProxies::new(vec![us.into()]);
        prop_assume!(!trusted.contains(client));
        let mut headers = forged;
        let facts = Facts { peer: Some(client), client: Some(client), ..facts() };
        let policy = if rfc7239 { WITH_FORWARDED } else { Policy::default() };
        apply(&policy, &facts, &mut headers);
        let lines = |name: &HeaderName| headers.get_all(name).iter().map(HeaderValue::as_bytes);
        let found = client_ip::find(Some(us), lines(&X_FORWARDED_FOR.name), lines(&FORWARDED.name), &trusted);
        prop_assert_eq!(found, Some(client.to_canonical()));
    }

    #[test]
    fn headers_of_others_are_never_touched(forged in forged_requests(), policy in policies(), trusted: bool) {
        let mut headers = forged.clone();
        apply(&policy, &Facts { peer_is_trusted: trusted, ..facts() }, &mut headers);
        for name in ["accept", "cookie"] {
            prop_assert!(forged.get_all(name).iter().eq(headers.get_all(name).iter()));
        }
    }

    #[test]
    fn no_policy_lets_an_untrusted_peer_write_a_line_alone(forged in forged_requests(), policy in policies()) {
        let mut of_nobody = HeaderMap::new();
        apply(&policy, &facts(), &mut of_nobody);
        let mut headers = forged;
        apply(&policy, &facts(), &mut headers);
        for field in FIELDS {
            let appended = [X_FORWARDED_FOR, FORWARDED].contains(&field);
            let (ours, theirs) = (of_nobody.get(&field.name), headers.get(&field.name));
            prop_assert_eq!(theirs.is_some(), ours.is_some());
            prop_assert!(headers.get_all(&field.name).iter().count() <= 1);
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                let same = if appended { theirs.as_bytes().ends_with(ours.as_bytes()) } else { theirs == ours };
                prop_assert!(same, "{}", field.written);
            }
        }
    }
}
