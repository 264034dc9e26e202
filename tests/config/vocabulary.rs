//! The words that a program adds to the file, and the blocks under them: read by serde, refused like everything else.

use evenkeel::config::Refusal;
use evenkeel::filter::{Facts, Filter, RequestHead, Verdict};
use evenkeel::template::Template;
use evenkeel::upstream::balance::{Members, Policy, Request};
use evenkeel::{Builder, Evenkeel};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Strict,
    Limited(u8),
    Shared { with: String },
}

#[derive(Clone, Debug, Deserialize)]
struct Nested {
    small: u8,
    #[serde(default)]
    signed: i16,
    ratio: Option<f64>,
}

/// Every shape that a block can have.
#[derive(Clone, Debug, Deserialize)]
struct Settings {
    text: String,
    #[serde(default)]
    on: bool,
    mode: Option<Mode>,
    nested: Option<Nested>,
    #[serde(default)]
    list: Vec<u16>,
    #[serde(default)]
    map: BTreeMap<String, u32>,
    #[serde(default, deserialize_with = "evenkeel::config::duration")]
    wait: Duration,
    template: Option<Template>,
}

#[derive(Debug)]
struct Own;

impl Filter for Own {
    fn request(&self, _: &mut RequestHead<'_>, _: &Facts<'_>) -> Verdict {
        Verdict::Pass
    }
}

#[derive(Debug)]
struct First;

impl Policy for First {
    fn pick(&self, members: &Members, request: &mut Request<'_>) -> Option<usize> {
        (0..members.len()).find(|index| request.allows(members, *index))
    }
}

fn own(settings: Settings) -> Result<Own, Refusal> {
    match settings.text.as_str() {
        "forbidden" => Err(Refusal::of(
            "text",
            "this text is not for you; write another",
        )),
        "wrong" => Err("these settings contradict each other; choose one".into()),
        _ => Ok(Own),
    }
}

fn program() -> Builder {
    Evenkeel::builder()
        .filter("own", own)
        .filter("bare", |()| Ok::<_, Refusal>(Own))
        .policy("first", |()| Ok::<_, Refusal>(First))
}

fn file(block: &str) -> String {
    format!(
        "listeners: [{{ address: 127.0.0.1:80 }}]\nroutes:\n- respond: {{}}\n  filters:\n  - own: {block}\n"
    )
}

/// What is said of a block, each line from the path on.
fn faults(block: &str) -> Vec<String> {
    let faults = program().check("f", &file(block)).expect_err(block);
    faults
        .iter()
        .map(|fault| {
            let position = fault.position.expect("a place");
            let path = fault.path.strip_prefix("routes[0].filters[0].own");
            let path = path.expect("a path below the block");
            format!("{}:{path}: {}", position.column, fault.message)
        })
        .collect()
}

/// What `from_config` gets of a block without faults.
fn read(block: &str) -> Settings {
    let got = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&got);
    let program = Evenkeel::builder().filter("own", move |settings: Settings| {
        keep.lock().expect("no panic before").replace(settings);
        Ok::<_, Refusal>(Own)
    });
    let checked = program.check("f", &file(block));
    checked.unwrap_or_else(|faults| panic!("{faults}"));
    got.lock()
        .expect("no panic before")
        .take()
        .expect("settings")
}

#[test]
fn a_block_may_have_every_shape_that_serde_knows() {
    let least = read("{ text: a }");
    assert_eq!(
        (least.text.as_str(), least.on, least.mode),
        ("a", false, None)
    );
    let most = read(
        "{ text: a, on: true, mode: strict, nested: { small: 255, signed: -5, ratio: 0.5 }, list: [1, 2], \
         map: { a: 1, 'b c': 2 }, wait: 1m30s, template: 'x $host ${uri} $$' }",
    );
    assert!(most.on && most.mode == Some(Mode::Strict) && most.list == [1, 2]);
    let nested = most.nested.expect("it is there");
    assert_eq!(
        (nested.small, nested.signed, nested.ratio),
        (255, -5, Some(0.5))
    );
    assert_eq!(
        most.map,
        BTreeMap::from([("a".to_owned(), 1), ("b c".to_owned(), 2)])
    );
    assert_eq!(most.wait, Duration::from_secs(90));
    assert_eq!(most.template, Template::parse("x $host $uri $$").ok());
    let limited = read("{ text: a, mode: { limited: 3 }, nested: { small: 1, ratio: 2 } }");
    assert_eq!(limited.mode, Some(Mode::Limited(3)));
    assert_eq!(limited.nested.and_then(|nested| nested.ratio), Some(2.0));
    let shared = read("{ text: a, mode: { shared: { with: b } } }");
    assert_eq!(
        shared.mode,
        Some(Mode::Shared {
            with: "b".to_owned()
        })
    );
}

/// A block, and what is said of it.
const WRONG: &[(&str, &str)] = &[
    (
        "{ text: 5 }",
        "18:.text: text is needed here, not the number 5; put it in quotes",
    ),
    ("{ text: [a] }", "18:.text: text is needed here, not a list"),
    (
        "{ text: }",
        "18:.text: nothing stands here; write one value, such as `some text`",
    ),
    ("{}", "10:: the key `text` is missing; add it"),
    (
        "{ text: a, on: yes }",
        "25:.on: `true` or `false` is needed here, not the text \"yes\"",
    ),
    (
        "{ text: a, nested: { small: 300 } }",
        "38:.nested.small: the number 300 cannot stand here; write a whole number from 0 to 255",
    ),
    (
        "{ text: a, nested: { small: 1, signed: x } }",
        "49:.nested.signed: a whole number from -32768 to 32767 is needed here, not the text \"x\"",
    ),
    (
        "{ text: a, nested: 5 }",
        "29:.nested: a mapping is needed here, not the number 5; write for example `{ small: value }`",
    ),
    (
        "{ text: a, list: [1, x] }",
        "31:.list[1]: a whole number from 0 to 65535 is needed here, not the text \"x\"",
    ),
    (
        "{ text: a, list: 1 }",
        "27:.list: a list is needed here, not the number 1",
    ),
    (
        "{ text: a, map: { k: -1 } }",
        "31:.map.k: the number -1 cannot stand here; write a whole number from 0 to 4294967295",
    ),
    (
        "{ text: a, mode: strickt }",
        "27:.mode: \"strickt\" is not one of the words here; did you mean \"strict\"?",
    ),
    (
        "{ text: a, mode: { limited: 999 } }",
        "38:.mode.limited: the number 999 cannot stand here; write a whole number from 0 to 255",
    ),
    (
        "{ text: a, mode: limited }",
        "27:.mode: `limited` needs its values; write `{ limited: … }`",
    ),
    (
        "{ text: a, mode: { shared: { wiht: b } } }",
        "39:.mode.shared.wiht: there is no key \"wiht\"; did you mean \"with\"?",
    ),
    (
        "{ text: a, wait: 5 }",
        "27:.wait: text is needed here, not the number 5; put it in quotes",
    ),
    (
        "{ text: a, wait: '5' }",
        "27:.wait: 5 has no unit; write `5s` for seconds or `5ms` for milliseconds",
    ),
    (
        "{ text: a, template: $hots }",
        "31:.template: there is no variable $hots; did you mean $host?",
    ),
    (
        "{ text: a, template: $path_id }",
        "31:.template: there is no $path_id here; the path of this route is no regex; \
write for example `match: { path: { regex: '^/(?<id>[^/]+)' } }`",
    ),
    (
        "{ text: forbidden }",
        "18:.text: this text is not for you; write another",
    ),
    (
        "{ text: wrong }",
        "10:: these settings contradict each other; choose one",
    ),
    (
        "{ text: a, text: b }",
        "21:.text: this key is there twice; keep one of them",
    ),
    (
        "{ text: '${NOT_SET}' }",
        "18:.text: the environment variable NOT_SET is not set; set it, or write `${NOT_SET:-default}`",
    ),
    (
        "[]",
        "10:: a mapping is needed here, not a list; write for example `{ text: value }`",
    ),
];

#[test]
fn each_wrong_value_is_placed_and_explained() {
    for (block, wanted) in WRONG {
        assert_eq!(faults(block), [*wanted], "{block}");
    }
}

#[test]
fn unknown_keys_are_refused_all_at_once_whether_or_not_the_type_says_so() {
    assert_eq!(
        faults("{ txet: a, onn: true, nested: { small: 1, x: 2 } }"),
        [
            "12:.txet: there is no key \"txet\"; did you mean \"text\"?",
            "21:.onn: there is no key \"onn\"; did you mean \"on\"?",
            "52:.nested.x: there is no key \"x\"; the keys here are small, signed, ratio",
        ]
    );
}

#[test]
fn values_of_a_block_may_come_from_the_environment() {
    let numbers = "{ text: '${A:-a}', on: '${B:-true}', list: ['${C:-7}'], nested: { small: '${D:-1}', ratio: '${E:-0.5}' } }";
    let settings = read(numbers);
    assert_eq!(
        (settings.text.as_str(), settings.on, settings.list),
        ("a", true, vec![7])
    );
    assert_eq!(
        faults("{ text: a, list: ['${C:-x}'] }"),
        ["28:.list[0]: a whole number from 0 to 65535 is needed here, not the text \"x\""]
    );
}

#[test]
fn a_part_without_settings_takes_none() {
    let check = |filters: &str, balance: &str| {
        let file = format!(
            "listeners: [{{ address: 127.0.0.1:80 }}]\nfilters: {filters}\n\
             upstreams: {{ web: {{ backends: [127.0.0.1:81], balance: {balance} }} }}\nroutes: [{{ upstream: web }}]\n"
        );
        let checked = program().check("f", &file);
        checked.map(drop).map_err(|faults| faults.to_string())
    };
    assert_eq!(check("[bare: {}]", "first"), Ok(()));
    assert_eq!(check("[bare: {}]", "{ first: {} }"), Ok(()));
    assert_eq!(
        check("[bare: { a: 1 }]", "{ first: { b: 2 } }").unwrap_err(),
        "f:2:19: filters[0].bare.a: there is no key \"a\"; there are none here; write `{}`\n\
         f:3:67: upstreams.web.balance.first.b: there is no key \"b\"; there are none here; write `{}`"
    );
    assert_eq!(
        check("[baer: {}]", "frist").unwrap_err(),
        "f:2:11: filters[0].baer: no filter is called \"baer\"; did you mean \"bare\"?\n\
         f:3:56: upstreams.web.balance: \"frist\" is not one of the words here; did you mean \"first\"?"
    );
}

#[test]
#[should_panic(expected = "\"round_robin\" is built in; choose another name")]
fn a_built_in_name_is_not_given_away() {
    let _ = Evenkeel::builder().policy("round_robin", |()| Ok::<_, Refusal>(First));
}
