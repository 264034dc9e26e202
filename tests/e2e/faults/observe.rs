//! Provokes a cause and compares what is seen with its row.
//!
//! One program has an upstream for each thing that is to be seen, and all are asked at the same time, once: `alone` has only the backend that
//! fails, which shows status, error and log; `counts` is the same with an ejection after one failure; the others have a fine backend as
//! their backup, and differ in what `retry.on` says. When the fine backend was asked, the request was tried again.

use std::thread;

use rustix::process::Signal;

use super::scenario::{Fine, PREPARING, Scenario, Seen, Visit};
use super::table::{NOTHING, Row, rows};
use crate::support::{Proxy, eventually};

/// What may stand in `retry.on`.
const WORDS: [&str; 7] = ["connect", "reset", "timeout", "502", "503", "504", "5xx"];
/// What stands there when the file does not say.
const DEFAULT: [&str; 2] = ["connect", "reset"];

/// Fails unless every column of the row is what is seen.
pub(super) fn holds(cause: &str, scenario: &Scenario) {
    let fine = scenario.fine_backend();
    let proxy = Proxy::start(&file(scenario, &fine));
    let visits = visit_all(&proxy, scenario);
    settle(&proxy);
    let count = scenario.backends.len();
    let is_tried_again = |visit: &Visited| is_tried_again(visit, count, &fine);
    compare(cause, |row| {
        observed(cause, &proxy, &visits, is_tried_again, row)
    });
}

/// Fails unless the row of this cause is what `see` makes of it.
pub(super) fn compare(cause: &str, see: impl FnOnce(Option<&Row>) -> Row) {
    let rows = rows();
    let row = rows.iter().find(|row| row.cause == cause);
    let seen = see(row);
    let row = row.unwrap_or_else(|| panic!("docs/faults.md lacks:\n{}", seen.written()));
    assert_eq!(row, &seen, "docs/faults.md should say:\n{}", seen.written());
}

fn file(scenario: &Scenario, fine: &Fine) -> String {
    let all = WORDS.join(", ");
    let failing = scenario.backends.join(", ");
    let backup = format!("{{ address: {}, backup: true }}", fine.address());
    let both = match scenario.has_backup {
        true => format!("{failing}, {backup}"),
        false => failing.clone(),
    };
    let strict = "{ failures: 1, max_ejected: 100% }";
    let mut upstreams = vec![
        ("alone", &failing, "off", None),
        ("counts", &failing, strict, None),
        ("default", &both, "off", None),
        ("post", &both, "off", None),
        ("all", &both, "off", Some(all.as_str())),
    ];
    upstreams.extend(WORDS.map(|word| (word, &both, "off", Some(word))));
    let (mut file, mut routes) = (String::new(), String::new());
    for (name, backends, outlier, on) in upstreams {
        let on = on.map(|words| format!("on: [{words}]"));
        let retry: Vec<_> = on.into_iter().chain(scenario.retry.clone()).collect();
        let mut keys = vec![
            format!("backends: [{backends}]"),
            format!("outlier: {outlier}"),
            format!("retry: {{ {} }}", retry.join(", ")),
        ];
        keys.extend(scenario.keys.clone());
        file += &format!("  on-{name}:\n    {}\n", keys.join("\n    "));
        routes += &format!("  - match: {{ path: /{name} }}\n    upstream: on-{name}\n");
    }
    let listener = scenario.listener.as_ref();
    let listener = listener.map_or_else(String::new, |line| format!("    {line}\n"));
    format!("listeners:\n  - address: 127.0.0.1:0\n{listener}upstreams:\n{file}routes:\n{routes}")
}

/// What came of one request.
pub(super) struct Visited {
    pub(super) target: String,
    pub(super) seen: Seen,
    /// Its line in the access log.
    pub(super) logged: Option<serde_json::Value>,
}

fn visit_all(proxy: &Proxy, scenario: &Scenario) -> Vec<Visited> {
    let mut requests = vec![
        ("GET", "/alone/get".to_owned()),
        ("GET", "/counts/get".to_owned()),
        ("GET", "/default/get".to_owned()),
        ("POST", "/post/post".to_owned()),
        ("POST", "/all/post".to_owned()),
    ];
    requests.extend(WORDS.map(|word| ("GET", format!("/{word}/get"))));
    thread::scope(|scope| {
        let begun = requests.into_iter().map(|(method, target)| {
            scope.spawn(move || {
                let visit = Visit {
                    proxy,
                    method,
                    target: &target,
                };
                let seen = (scenario.client)(&visit);
                let logged = scenario.is_logged.then(|| logged(proxy, &target));
                Visited {
                    target,
                    seen,
                    logged,
                }
            })
        });
        let begun: Vec<_> = begun.collect();
        begun
            .into_iter()
            .map(|visit| visit.join().unwrap())
            .collect()
    })
}

pub(super) fn logged(proxy: &Proxy, target: &str) -> serde_json::Value {
    proxy.logged(|line| {
        line["request_uri"]
            .as_str()
            .is_some_and(|uri| uri.ends_with(target))
    })
}

/// Waits until everything that was said of the requests has been read: the log is written at once, so that what it says before it opens
/// its files anew has been said before.
pub(super) fn settle(proxy: &Proxy) {
    proxy.signal(Signal::USR1);
    eventually("the log is opened anew", || {
        proxy.stderr.all().iter().any(|line| line.contains(ANEW))
    });
}

const ANEW: &str = "log files are open anew";

fn observed(
    cause: &str,
    proxy: &Proxy,
    visits: &[Visited],
    is_tried_again: impl Fn(&Visited) -> bool,
    row: Option<&Row>,
) -> Row {
    let visit = |target: &str| {
        let mut visits = visits.iter();
        visits.find(|visit| visit.target == target).unwrap()
    };
    let (status, error) = outcome(visit("/alone/get"));
    let lines = lines(proxy);
    let is_ejected = lines
        .iter()
        .any(|line| line.contains("upstream on-counts: ") && line.contains(" is ejected "));
    Row {
        cause: cause.to_owned(),
        status,
        error,
        again: again_class(|target| is_tried_again(visit(target))),
        counts: if is_ejected { "yes" } else { "no" }.to_owned(),
        log: log(&lines, row),
    }
}

/// Words of the access log that tell apart what has one name in `Proxy-Status`.
const FINER: [(&str, &str); 2] = [
    ("queue_full", "connection_limit_reached"),
    ("queue_timeout", "connection_limit_reached"),
];

/// Status and error as the client and the access log have them, which must agree.
pub(super) fn outcome(visited: &Visited) -> (String, String) {
    let logged = visited.logged.as_ref();
    let logged_error = logged.map(|line| {
        let word = line["error"].as_str().unwrap_or(NOTHING);
        let finer = FINER.into_iter().find(|(finer, _)| *finer == word);
        finer.map_or(word, |(_, name)| name)
    });
    let logged_status = logged.map(|line| line["status"].to_string());
    let (status, error) = match &visited.seen {
        Seen::Whole(answer) => {
            let status = answer.status.to_string();
            assert_eq!(logged_status.as_ref().unwrap_or(&status), &status);
            let error = answer.header("Proxy-Status");
            let error = error.map(|value| value.strip_prefix("evenkeel; error=").unwrap());
            (status, error.unwrap_or(NOTHING))
        }
        Seen::Cut if has_begun(logged) => ("cut".to_owned(), logged_error.unwrap()),
        Seen::Cut | Seen::Gone => (
            format!("{} logged", logged_status.unwrap()),
            logged_error.unwrap(),
        ),
    };
    assert_eq!(logged_error.unwrap_or(error), error);
    (status, error.to_owned())
}

/// Whether the status in the access log is that of an answer which the client had a part of.
fn has_begun(logged: Option<&serde_json::Value>) -> bool {
    logged.is_some_and(|line| line["status"] == 200 || line["status"] == 101)
}

/// What the log has said since the program listens.
pub(super) fn lines(proxy: &Proxy) -> Vec<String> {
    let lines = proxy.stderr.all().into_iter();
    lines
        .skip_while(|line| !line.contains("listening on "))
        .skip(1)
        .filter(|line| !line.contains(ANEW) && !line.contains(PREPARING))
        .collect()
}

/// The row's own words when the request's line has them, or else a line that has not.
///
/// A line without an upstream may be about any of the requests. It is the row's when there is no other: what Pingora says besides our line
/// depends on who comes first.
fn log(lines: &[String], row: Option<&Row>) -> String {
    let of_alone = lines
        .iter()
        .filter(|line| line.contains("upstream on-alone"));
    let of_none = lines.iter().filter(|line| !line.contains("upstream on-"));
    let own: Vec<_> = of_alone.collect();
    assert!(own.len() <= 1, "one request, one line: {own:#?}");
    let told = if own.is_empty() {
        of_none.collect()
    } else {
        own
    };
    let pattern = row.map(|row| row.log.as_str());
    let differs = |line: &&&String| pattern.is_none_or(|pattern| !has(line, pattern));
    match (told.iter().find(differs), pattern) {
        (Some(other), _) => other.chars().take(1000).collect(),
        (None, Some(pattern)) if !told.is_empty() => pattern.to_owned(),
        (None, _) => NOTHING.to_owned(),
    }
}

/// Whether `line` has what stands between the ellipses of `pattern`, in that order.
fn has(line: &str, pattern: &str) -> bool {
    let mut rest = line;
    pattern.split('…').map(str::trim).all(|piece| {
        let found = rest.split_once(piece);
        rest = found.map_or("", |(_, rest)| rest);
        found.is_some()
    })
}

/// More attempts than there are backends that fail: the fine one was asked, or the only other one a second time.
fn is_tried_again(visited: &Visited, failing: usize, fine: &Fine) -> bool {
    let attempts = visited.logged.as_ref().map(|line| &line["attempts"]);
    let attempts = attempts.and_then(serde_json::Value::as_u64).unwrap_or(0);
    attempts > failing as u64 || fine.asked_for(&visited.target) > 0
}

/// Which requests are tried again, and what for.
fn again_class(is_tried: impl Fn(&str) -> bool) -> String {
    let words = WORDS.into_iter();
    let words: Vec<_> = words
        .filter(|word| is_tried(&format!("/{word}/get")))
        .collect();
    let by_default = words.iter().any(|word| DEFAULT.contains(word));
    assert_eq!(is_tried("/default/get"), by_default, "with {words:?}");
    assert!(by_default || !is_tried("/post/post"), "with {words:?}");
    let who = match is_tried("/all/post") {
        _ if words.is_empty() => return "never".to_owned(),
        true => "any method",
        false => "idempotent",
    };
    if words.len() == WORDS.len() {
        format!("{who}, always")
    } else {
        format!("{who}, on {}", words.join(" or "))
    }
}
