use super::*;
use proptest::prelude::*;

fn addresses(all: &[&str]) -> Vec<IpAddr> {
    all.iter().map(|one| one.parse().unwrap()).collect()
}

fn told(v4: &[&str], v6: &[&str]) -> Result<HostAnswer, String> {
    Ok(HostAnswer {
        v4: Addresses::Told(addresses(v4)),
        v6: Addresses::Told(addresses(v6)),
        ttl: Duration::from_secs(5),
    })
}

/// A finding about the plain name `app1:80`.
fn plain(answer: Result<HostAnswer, String>) -> Finding {
    service(&[("app1", 0, 0)], &[("app1", answer)])
}

/// A finding about SRV records of host, priority and weight.
fn service(records: &[(&str, u16, u16)], hosts: &[(&str, Result<HostAnswer, String>)]) -> Finding {
    let services = records.iter().map(|(host, priority, weight)| Service {
        host: (*host).to_owned(),
        port: 80,
        preference: Preference {
            priority: *priority,
            weight: *weight,
        },
    });
    Finding {
        services: Ok(services.collect()),
        hosts: hosts
            .iter()
            .map(|(host, answer)| ((*host).to_owned(), answer.clone()))
            .collect(),
        ttl: Duration::MAX,
    }
}

fn failed(reason: &str) -> Result<HostAnswer, String> {
    Err(reason.to_owned())
}

fn located(known: &Known) -> Vec<String> {
    known.located().iter().map(Located::to_string).collect()
}

fn lines(lesson: &Lesson) -> Vec<String> {
    lesson
        .news
        .iter()
        .map(|news| news.line(&"app1:80"))
        .collect()
}

#[test]
fn each_address_of_a_name_is_located_once_and_in_order() {
    let mut known = Known::default();
    known.learn(plain(told(
        &["10.0.0.2", "10.0.0.1", "10.0.0.2"],
        &["fd00::1"],
    )));
    assert_eq!(
        located(&known),
        ["10.0.0.1:80", "10.0.0.2:80", "[fd00::1]:80"]
    );
}

#[test]
fn a_name_that_stops_to_resolve_keeps_its_last_addresses_and_says_so_once() {
    let mut known = Known::default();
    known.learn(plain(told(&["10.0.0.1"], &[])));
    let first = known.learn(plain(failed("there is no such name")));
    assert_eq!(
        lines(&first),
        ["cannot resolve app1:80: there is no such name; its last good addresses stay in use"]
    );
    let second = known.learn(plain(failed("10.0.0.53:53 does not answer")));
    assert!(second.news.is_empty(), "{second:?}");
    assert_eq!(located(&known), ["10.0.0.1:80"]);
}

#[test]
fn a_name_that_never_resolved_says_so_once_and_then_what_it_resolves_to() {
    let mut known = Known::default();
    let first = known.learn(plain(failed("it has no address")));
    assert_eq!(
        lines(&first),
        ["cannot resolve app1:80: it has no address; it gets no requests until it resolves"]
    );
    assert!(
        known
            .learn(plain(failed("it has no address")))
            .news
            .is_empty()
    );
    let found = known.learn(plain(told(&["10.0.0.1"], &[])));
    assert_eq!(lines(&found), ["app1:80 resolves to 10.0.0.1:80"]);
}

#[test]
fn a_name_that_resolves_again_says_so_and_what_has_changed() {
    let mut known = Known::default();
    known.learn(plain(told(&["10.0.0.1"], &[])));
    known.learn(plain(failed("there is no such name")));
    let again = known.learn(plain(told(&["10.0.0.2"], &[])));
    assert_eq!(
        lines(&again),
        [
            "app1:80 resolves again",
            "app1:80 has changed: new 10.0.0.2:80; gone 10.0.0.1:80"
        ]
    );
    assert!(known.learn(plain(told(&["10.0.0.2"], &[]))).news.is_empty());
}

#[test]
fn addresses_in_another_order_are_no_news() {
    let mut known = Known::default();
    known.learn(plain(told(&["10.0.0.1", "10.0.0.2"], &[])));
    let lesson = known.learn(plain(told(&["10.0.0.2", "10.0.0.1"], &[])));
    assert!(lesson.news.is_empty(), "{lesson:?}");
}

#[test]
fn a_family_that_no_server_says_anything_of_keeps_its_addresses() {
    let mut known = Known::default();
    known.learn(plain(told(&["10.0.0.1"], &["fd00::1"])));
    let lesson = known.learn(plain(Ok(HostAnswer {
        v4: Addresses::Told(addresses(&["10.0.0.2"])),
        v6: Addresses::Untold,
        ttl: Duration::from_secs(5),
    })));
    assert_eq!(located(&known), ["10.0.0.2:80", "[fd00::1]:80"]);
    assert_eq!(
        lines(&lesson),
        ["app1:80 has changed: new 10.0.0.2:80; gone 10.0.0.1:80"]
    );
    known.learn(plain(told(&["10.0.0.2"], &[])));
    assert_eq!(located(&known), ["10.0.0.2:80"]);
}

#[test]
fn a_target_that_cannot_be_resolved_takes_no_other_away() {
    let mut known = Known::default();
    let records = [("one", 10, 5), ("other", 10, 5)];
    known.learn(service(
        &records,
        &[
            ("one", told(&["10.0.0.1"], &[])),
            ("other", told(&["10.0.0.2"], &[])),
        ],
    ));
    let lesson = known.learn(service(
        &records,
        &[
            ("one", told(&["10.0.0.3"], &[])),
            ("other", failed("its target other: no such name")),
        ],
    ));
    assert_eq!(
        located(&known),
        [
            "10.0.0.2:80 (priority 10, weight 5)",
            "10.0.0.3:80 (priority 10, weight 5)"
        ]
    );
    assert!(
        matches!(&lesson.news[0], News::Fails { reason, is_known: true } if reason == "its target other: no such name")
    );
}

#[test]
fn new_targets_of_which_nothing_is_known_do_not_take_the_last_addresses_away() {
    let mut known = Known::default();
    known.learn(service(
        &[("one", 10, 5)],
        &[("one", told(&["10.0.0.1"], &[]))],
    ));
    known.learn(service(
        &[("two", 10, 5)],
        &[("two", failed("no such name"))],
    ));
    assert_eq!(located(&known), ["10.0.0.1:80 (priority 10, weight 5)"]);
    known.learn(service(
        &[("two", 10, 5)],
        &[("two", told(&["10.0.0.2"], &[]))],
    ));
    assert_eq!(located(&known), ["10.0.0.2:80 (priority 10, weight 5)"]);
}

#[test]
fn an_address_that_several_records_name_stands_at_its_best_place() {
    let mut known = Known::default();
    let records = [("one", 20, 9), ("two", 10, 1), ("three", 10, 7)];
    let same = told(&["10.0.0.1"], &[]);
    known.learn(service(
        &records,
        &[
            ("one", same.clone()),
            ("two", same.clone()),
            ("three", same),
        ],
    ));
    assert_eq!(located(&known), ["10.0.0.1:80 (priority 10, weight 7)"]);
}

#[test]
fn another_weight_of_a_known_address_is_news() {
    let mut known = Known::default();
    let hosts = [("one", told(&["10.0.0.1"], &[]))];
    known.learn(service(&[("one", 10, 5)], &hosts));
    let lesson = known.learn(service(&[("one", 10, 6)], &hosts));
    assert_eq!(
        lines(&lesson),
        ["app1:80 has changed: now 10.0.0.1:80 (priority 10, weight 6)"]
    );
}

#[test]
fn a_name_is_asked_for_again_when_the_first_of_its_answers_is_over() {
    let mut known = Known::default();
    let mut finding = plain(told(&["10.0.0.1"], &[]));
    assert_eq!(known.learn(finding.clone()).pause, Duration::from_secs(5));
    finding.ttl = Duration::from_secs(3);
    assert_eq!(known.learn(finding).pause, Duration::from_secs(3));
}

#[test]
fn a_name_that_fails_is_asked_for_again_soon_and_then_less_often() {
    let mut known = Known::default();
    let mut pause = |answer| known.learn(plain(answer)).pause.as_secs();
    let failing = || failed("it has no address");
    assert_eq!(
        [pause(failing()), pause(failing()), pause(failing())],
        [1, 2, 4]
    );
    assert_eq!(pause(told(&["10.0.0.1"], &[])), 5);
    assert_eq!(pause(failing()), 1);
}

/// With at least one address, as every answer has.
fn any_answer() -> impl Strategy<Value = Result<HostAnswer, String>> {
    let some = |prefix: &'static str, fewest: usize| {
        prop::collection::vec(1..6_u8, fewest..4).prop_map(move |ends| {
            let address = |end: &u8| format!("{prefix}{end}").parse().unwrap();
            Addresses::Told(ends.iter().map(address).collect())
        })
    };
    let family = move |prefix| prop_oneof![3 => some(prefix, 0), 1 => Just(Addresses::Untold)];
    let v4_first = (some("10.0.0.", 1), family("fd00::"));
    let v6_first = (family("10.0.0."), some("fd00::", 1));
    let families = prop_oneof![v4_first, v6_first];
    let answer = (families, any::<u32>()).prop_map(|((v4, v6), ttl)| {
        Ok(HostAnswer {
            v4,
            v6,
            ttl: Duration::from_secs(ttl.into()),
        })
    });
    prop_oneof![3 => answer, 1 => Just(failed("it has no address"))]
}

proptest! {
    /// Seen failing with a family forgotten of which nothing was told.
    #[test]
    fn only_an_answer_takes_an_address_away(answers in prop::collection::vec(any_answer(), 1..20)) {
        let mut known = Known::default();
        for answer in answers {
            let before = known.located().to_vec();
            known.learn(plain(answer.clone()));
            for lost in before.iter().filter(|one| !known.located().contains(one)) {
                let family = answer.as_ref().map(|answer| match lost.address {
                    SocketAddr::V4(_) => &answer.v4,
                    SocketAddr::V6(_) => &answer.v6,
                });
                let told = matches!(family, Ok(Addresses::Told(told)) if !told.contains(&lost.address.ip()));
                prop_assert!(told, "{lost} is gone after {answer:?}");
            }
        }
    }

    /// Whoever follows the log knows the addresses. Seen failing with news at every lookup.
    #[test]
    fn there_is_news_of_the_addresses_just_when_they_change(answers in prop::collection::vec(any_answer(), 1..20)) {
        let mut known = Known::default();
        for answer in answers {
            let before = known.located().to_vec();
            let lesson = known.learn(plain(answer));
            let told = lesson.news.iter().any(|news| matches!(news, News::Resolves(_) | News::Changed(_)));
            prop_assert_eq!(told, before != known.located());
        }
    }
}
