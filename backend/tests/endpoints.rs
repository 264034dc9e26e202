//! What hello answers, asked over real sockets.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod wire_client;

use hello::{Hello, Options};
use serde_json::{Value, json};
use std::time::Duration;
use wire_client::{Client, get, wait_until};

async fn app1() -> Hello {
    hello::spawn(Options::default().name("app1")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_greeting_names_the_host() {
    let app1 = app1().await;
    let answer = get(app1.address(), "/");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        String::from_utf8_lossy(&answer.body),
        "{\"message\":\"Hello from hello\",\"hostname\":\"app1\"}\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_name_the_greeting_names_this_machine() {
    let hello = hello::spawn(Options::default()).await.unwrap();
    assert!(!hello.name().is_empty());
    assert_eq!(
        get(hello.address(), "/").json()["hostname"],
        json!(hello.name())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_shown_in_the_order_and_case_they_were_sent_with_duplicates() {
    let app1 = app1().await;
    let answer = Client::connect(app1.address()).ask(
        "GET /headers HTTP/1.1\r\n\
         X-Last: z\r\nhOsT: Example.COM:8080\r\nX-Twice: 1\r\naccept:*/*\r\n\
         x-twice: 2\r\nX-Empty:\r\nX-TWICE:   3 \r\nA: a\r\n\r\n",
    );
    assert_eq!(answer.status, 200);
    assert_eq!(
        String::from_utf8_lossy(&answer.body),
        concat!(
            r#"{"method":"GET","target":"/headers","headers":[["X-Last","z"],["hOsT","Example.COM:8080"],"#,
            r#"["X-Twice","1"],["accept","*/*"],["x-twice","2"],["X-Empty",""],["X-TWICE","3"],["A","a"]]}"#,
            "\n"
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn any_method_and_the_target_are_shown_as_sent() {
    let app1 = app1().await;
    let mut client = Client::connect(app1.address());
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"] {
        let target = "/headers?b=%2F&a=%20&&x";
        let answer = client.ask(format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(
            answer.json(),
            json!({"method": method, "target": target, "headers": [["Host", "a"]]})
        );
    }
    let answer = client.ask("GET http://b:80/headers HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(answer.json()["target"], json!("http://b:80/headers"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_utf8_are_shown_as_replacement_characters() {
    let app1 = app1().await;
    let answer = Client::connect(app1.address()).ask(
        b"GET /headers HTTP/1.1\r\nHost: a\r\nX-Latin: caf\xe9\r\nX-Utf8: caf\xc3\xa9\r\n\r\n",
    );
    assert_eq!(
        answer.json()["headers"],
        json!([
            ["Host", "a"],
            ["X-Latin", "caf\u{fffd}"],
            ["X-Utf8", "café"]
        ])
    );
}

/// Four requests; the bodies of the first two look like requests themselves.
const CONVERSATION: &str = "POST /headers HTTP/1.1\r\nHost: a\r\nContent-Length: 31\r\nN: 0\r\n\r\n\
    GET /headers HTTP/1.1\r\nN: x\r\n\r\n\
    PUT /headers HTTP/1.1\r\nHost: a\r\ntransfer-encoding: Chunked\r\nN: 1\r\n\r\n\
    1F;note=1\r\nGET /headers HTTP/1.1\r\nN: x\r\n\r\n\r\n3\r\nabc\r\n0\r\nChecksum: 1\r\n\r\n\
    GET / HTTP/1.1\r\nHost: a\r\n\r\n\
    \r\nGET /headers HTTP/1.1\r\nHost: a\r\nN: 3\r\n\r\n";

fn assert_each_shows_its_own_headers(client: &mut Client) {
    let number = |answer: Value| {
        answer["headers"]
            .as_array()
            .and_then(|all| all.last())
            .cloned()
    };
    assert_eq!(number(client.answer().json()), Some(json!(["N", "0"])));
    assert_eq!(number(client.answer().json()), Some(json!(["N", "1"])));
    assert_eq!(client.answer().json()["hostname"], json!("app1"));
    assert_eq!(number(client.answer().json()), Some(json!(["N", "3"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_on_one_connection_each_show_their_own_headers_when_pipelined() {
    let app1 = app1().await;
    let mut client = Client::connect(app1.address());
    client.send(CONVERSATION);
    assert_each_shows_its_own_headers(&mut client);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_on_one_connection_each_show_their_own_headers_when_sent_byte_by_byte() {
    let app1 = app1().await;
    let mut client = Client::connect(app1.address());
    for byte in CONVERSATION.as_bytes() {
        client.send([*byte]);
    }
    assert_each_shows_its_own_headers(&mut client);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_proxy_adds_to_a_hundred_headers_is_accepted() {
    let app1 = app1().await;
    let headers: String = (0..120).map(|n| format!("X-{n}: {n}\r\n")).collect();
    let answer =
        Client::connect(app1.address()).ask(format!("GET /headers HTTP/1.1\r\n{headers}\r\n"));
    assert_eq!(answer.json()["headers"][119], json!(["X-119", "119"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_is_read_to_its_end_before_the_answer() {
    let app1 = app1().await;
    let mut client = Client::connect(app1.address());
    client.send("POST /headers HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
    for _ in 0..100 {
        client.send(vec![b'x'; 80_000]);
    }
    assert_eq!(client.answer().status, 200);
    assert_eq!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_ok() {
    let app1 = app1().await;
    let answer = get(app1.address(), "/health");
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"status": "ok"}))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn anything_else_is_not_found() {
    let app1 = app1().await;
    let mut client = Client::connect(app1.address());
    for line in ["GET /other", "GET /headers/", "POST /", "DELETE /health"] {
        let answer = client.ask(format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(answer.status, 404, "{line}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.json(), json!({"error": "not found"}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_counted_and_health_checks_apart() {
    let app1 = app1().await;
    for target in [
        "/", "/health", "/headers", "/health", "/other", "/health", "/health",
    ] {
        get(app1.address(), target);
    }
    assert_eq!((app1.requests(), app1.health_checks()), (3, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_holds_back_every_answer_but_health() {
    let options = Options::default().delay(Duration::from_secs(3600));
    let slow = hello::spawn(options).await.unwrap();
    let mut client = Client::connect(slow.address());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_until("the request has arrived", || slow.requests() == 1);
    assert_eq!(get(slow.address(), "/health").status, 200);
    slow.abort().await;
    assert!(client.is_closed());
}
