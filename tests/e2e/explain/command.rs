//! The command: what is asked, and what is printed.

use std::process::Output;

use tempfile::TempDir;

use crate::support::{evenkeel, example, output_of, write_file};

const FILE: &str = "listeners:
  - { name: public, address: 0.0.0.0:8080 }
  - { name: inside, address: 127.0.0.1:9090, filters: [{ ip_access: { deny: [192.0.2.66] } }] }
  - { name: small, address: 127.0.0.1:9191, limits: { body_bytes: 1KiB, uri_bytes: 20 } }
trusted_proxies: [10.0.0.0/8]
filters:
  - request_headers: { set: { X-Site: $host } }
upstreams:
  web:
    backends: [10.1.0.1:80, { address: 10.1.0.2:80, weight: 3 }, { address: 10.1.0.3:80, backup: true }, { address: 10.1.0.4:80, state: disabled }]
    health_check: { tcp: {} }
  api: { backends: [10.2.0.1:80], retry: off, sticky: { cookie: keeps }, timeouts: { response: 1500ms } }
routes:
  - name: api
    match: { path: /api/ }
    upstream: api
    filters: [{ rewrite: { strip_prefix: /api } }, { request_headers: { remove: [X-Debug] } }]
  - name: shop
    match: { host: shop.test }
    upstream: web
  - name: canary
    match: { path: /api/, headers: { x-canary: { present: true } } }
    upstream: web
  - name: old
    match: { path: /old/ }
    redirect: { to: 'https://$host/new', status: 301 }
  - name: closed
    match: { path: /closed/ }
    respond: { status: 410 }
";

fn explain(arguments: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    let file = write_file(folder.path(), FILE);
    let mut command = evenkeel();
    command.arg("explain").arg("-c").arg(file).args(arguments);
    output_of(command)
}

fn text(arguments: &[&str]) -> String {
    let output = explain(arguments);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), complaint.as_str()), (Some(0), ""));
    String::from_utf8(output.stdout).unwrap()
}

fn json(arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&text(&[&["--json"], arguments].concat())).unwrap()
}

#[test]
fn explain_tells_a_person_the_whole_way_of_a_request() {
    let text = text(&[
        "GET http://shop.test:8080/api/users?x=1",
        "-H",
        "X-Debug: on",
        "-H",
        "Cookie: keeps=nobody",
        "--from",
        "10.0.0.7:1234",
        "-H",
        "X-Forwarded-For: 192.0.2.1",
    ]);
    for line in [
        "listener  public",
        "client    192.0.2.1",
        "  > shop                   takes it; before api, since it names the host more closely",
        "  - canary                 header x-canary is missing",
        "  + api                    matches too; shop wins, since it names the host more closely",
        "    filters[0] request_headers",
        "        + X-Site: shop.test",
        "upstream  web (round_robin)",
        "    10.1.0.1:80            not checked, weight 1, 0 in flight",
        "    10.1.0.3:80            not checked, backup, weight 1, 0 in flight",
        "    10.1.0.4:80            not checked, disabled, weight 1, 0 in flight",
        "retry     after connect, reset; 2 attempts in all, within a budget of 20 % of the requests",
        "limits    connect 2s, response 60s, read 60s, write 60s",
        "    GET /api/users?x=1 HTTP/1.1",
        "    X-Forwarded-For: 192.0.2.1, 10.0.0.7",
        "    X-Real-IP: 192.0.2.1",
        "    X-Site: shop.test",
    ] {
        let found = text.lines().any(|printed| printed.starts_with(line));
        assert!(found, "no line {line:?} in\n{text}");
    }
    let picked: Vec<_> = text
        .lines()
        .filter(|line| line.ends_with(" picked"))
        .collect();
    assert_eq!(picked.len(), 1, "{text}");
    assert!(text.contains("next, if that fails"), "{text}");
}

#[test]
fn explain_holds_a_request_to_the_limits_of_its_listener() {
    let url = "POST http://shop.test:9191/";
    let told = json(&[url, "-H", "Content-Length: 1025"]);
    let step = &told["filters"][0];
    assert_eq!(
        (&step["place"], &step["name"], &step["answered"]),
        (
            &"listeners[2].limits".into(),
            &"body_bytes".into(),
            &413.into()
        )
    );
    assert_eq!(told["status"], 413);
    assert_eq!(
        json(&[url, "-H", "Content-Length: 1024"])["upstream"],
        "web"
    );
    let long = format!("{url}a-path-of-21-letters");
    let told = json(&[&long]);
    assert_eq!(told["status"], 414);
    assert_eq!(told["because"], "The request's target is too long.");
}

#[test]
fn explain_shows_what_each_filter_changes() {
    let told = json(&["GET http://a.test/api/x", "-H", "X-Debug: on"]);
    assert_eq!(told["route"], "api");
    let steps: Vec<_> = told["filters"].as_array().unwrap().iter().collect();
    let places: Vec<_> = steps
        .iter()
        .map(|step| step["place"].as_str().unwrap())
        .collect();
    assert_eq!(
        places,
        ["filters[0]", "routes[0].filters[0]", "routes[0].filters[1]"]
    );
    let change = |step: usize| &steps[step]["changes"][0];
    assert_eq!(
        (&change(1)["from"], &change(1)["to"]),
        (&"/api/x".into(), &"/x".into())
    );
    assert_eq!(
        (&change(2)["change"], &change(2)["name"]),
        (&"removed".into(), &"X-Debug".into())
    );
    assert_eq!(told["request"]["target"], "/x");
    assert_eq!(told["retry"], serde_json::Value::Null);
    assert_eq!(
        (&told["sticky"], &told["limits"]["response_ms"]),
        (&"begins".into(), &1500.into())
    );
}

#[test]
fn explain_tells_programs_everything_in_one_object() {
    let told = json(&["POST http://shop.test/", "-H", "Content-Length: 3"]);
    assert_eq!(
        (
            &told["listener"],
            &told["action"],
            &told["upstream"],
            &told["status"]
        ),
        (
            &"public".into(),
            &"upstream".into(),
            &"web".into(),
            &serde_json::Value::Null
        )
    );
    let (picked, next) = (
        told["backend"].as_str().unwrap(),
        told["then"].as_str().unwrap(),
    );
    assert!(["10.1.0.1:80", "10.1.0.2:80"].contains(&picked), "{picked}");
    assert!(next != picked && next.starts_with("10.1.0."), "{next}");
    assert_eq!(told["request"]["method"], "POST");
    assert_eq!(
        told["request"]["headers"][0],
        serde_json::json!(["Host", "shop.test"])
    );
    assert_eq!(told["retry"]["on"], serde_json::json!(["connect"]));
    let held_back = told["retry"]["held_back"].as_str().unwrap();
    assert!(held_back.contains("retry.non_idempotent"), "{held_back}");
    assert_eq!(told["considered"].as_array().unwrap().len(), 5);
    assert_eq!(told["backends"][1]["weight"], 3.0);
}

#[test]
fn explain_tells_which_answers_are_ours_and_why() {
    for (arguments, status, route, because) in [
        (
            &["GET http://a.test/nothing"][..],
            404,
            None,
            Some("nothing at this address"),
        ),
        (&["GET http://a.test/closed/"], 410, Some("closed"), None),
        (
            &["GET http://a.test:9090/api/", "--from", "192.0.2.66"],
            403,
            Some("api"),
            Some("a filter answers"),
        ),
        (
            &["GET http://a.test/", "-H", "Content-Length: 1, 2"],
            400,
            None,
            Some("malformed"),
        ),
        (
            &["CONNECT http://a.test/"],
            501,
            None,
            Some("CONNECT is not supported"),
        ),
    ] {
        let told = json(arguments);
        assert_eq!(told["status"], status, "{told}");
        assert_eq!(told["route"].as_str(), route);
        let said = told["because"].as_str();
        assert_eq!(said.is_some(), because.is_some(), "{told}");
        assert!(
            said.unwrap_or_default()
                .contains(because.unwrap_or_default()),
            "{told}"
        );
        assert_eq!(told["request"], serde_json::Value::Null);
    }
    let told = json(&["GET http://a.test/old/x"]);
    assert_eq!(
        (&told["status"], &told["location"]),
        (&301.into(), &"https://a.test/new".into())
    );
}

#[test]
fn explain_takes_the_listener_with_the_port_of_the_url_or_else_the_first() {
    for (url, listener) in [
        ("GET http://a.test:9090/", "inside"),
        ("http://a.test:8080/", "public"),
        ("GET http://a.test/", "public"),
        ("GET http://a.test:1/", "public"),
    ] {
        assert_eq!(json(&[url])["listener"], listener, "{url}");
    }
}

#[test]
fn explain_says_what_to_write_when_it_does_not_understand() {
    for (arguments, words) in [
        (
            &["GET"][..],
            "write for example 'GET http://example.com/path?x=1'",
        ),
        (&["GET a b"], "is no request"),
        (&["GET /path"], "names no host"),
        (&["GET ftp://a.test/"], "is no URL"),
        (
            &["GET http://a.test/", "-H", "nonsense"],
            "write it as 'Name: value'",
        ),
        (
            &["GET http://a.test/", "--from", "here"],
            "--from \"here\" is no address",
        ),
    ] {
        let output = explain(arguments);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{complaint}");
        assert!(complaint.starts_with("evenkeel explain: "), "{complaint}");
        assert!(complaint.contains(words), "{complaint}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn explain_says_which_names_do_not_resolve() {
    let folder = TempDir::new().unwrap();
    let file = "listeners: [{ address: 127.0.0.1:80 }]\nupstreams: { web: { backends: [nowhere.invalid:80] } }\nroutes: [{ upstream: web }]\n";
    let file = write_file(folder.path(), file);
    let mut command = evenkeel();
    command
        .arg("explain")
        .arg("-c")
        .arg(file)
        .arg("GET http://a.test/");
    let output = output_of(command);
    let (text, log) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(text.contains("it has no backend"), "{text}");
    assert!(text.contains("answer    503"), "{text}");
    assert!(log.contains("nowhere.invalid"), "{log}");
}

#[test]
fn a_program_of_one_s_own_explains_its_own_filters() {
    let file = include_str!("../../../examples/tenant.yaml");
    let folder = TempDir::new().unwrap();
    let file = write_file(folder.path(), file);
    let mut command = example("tenant");
    command
        .arg("explain")
        .arg("-c")
        .arg(file)
        .arg("GET http://a.test/")
        .arg("--json");
    let output = output_of(command);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["filters"][0]["name"], "tenant", "{told}");
}
