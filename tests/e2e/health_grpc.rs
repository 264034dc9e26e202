//! Health checks over gRPC: what a server is asked, and what its answer is taken for.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::support::{Backend, GrpcAnswer, GrpcBackend, Proxy, Request, eventually, ok};

const UNKNOWN: u8 = 0;
const SERVING: u8 = 1;
const NOT_SERVING: u8 = 2;
const SERVICE_UNKNOWN: u8 = 3;

/// Each backend in an upstream of its own, under a check that asks about this service.
fn checked(backends: &[(SocketAddr, &str)], rest: &str) -> Proxy {
    let mut upstreams = String::new();
    for (index, (address, service)) in backends.iter().enumerate() {
        writeln!(
            upstreams,
            "  app{index}:
    backends: [{address}]
    health_check: {{ grpc: {service}, {rest} }}"
        )
        .unwrap();
    }
    Proxy::start(&format!(
        "listeners:
  - address: 127.0.0.1:0
upstreams:
{upstreams}
routes:
  - upstream: app0
"
    ))
}

/// What the log says of a backend's health first.
fn verdict(proxy: &Proxy, backend: SocketAddr) -> String {
    proxy.stderr.find("a verdict", |line| {
        let (_, verdict) = line.split_once(&format!("backend {backend} is "))?;
        Some(verdict.to_owned())
    })
}

const ONCE: &str = "interval: 1h, timeout: 1s";

#[test]
fn a_grpc_check_asks_grpc_health_v1_about_the_server_as_a_whole() {
    let backend = GrpcBackend::start(|_| GrpcAnswer::health(SERVING));
    let proxy = checked(&[(backend.address(), "{}")], ONCE);
    assert_eq!(verdict(&proxy, backend.address()), "up");
    let call = backend.calls().remove(0);
    assert_eq!(call.head.method(), "POST");
    assert_eq!(
        call.head.uri().to_string(),
        format!("http://{}/grpc.health.v1.Health/Check", backend.address())
    );
    let header = |name| {
        call.head
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    };
    assert_eq!(header("content-type"), Some("application/grpc"));
    assert_eq!(header("te"), Some("trailers"));
    assert_eq!(header("user-agent"), Some("evenkeel-health-check"));
    assert_eq!(header("grpc-timeout"), Some("1000m"));
    assert_eq!(call.message, [0, 0, 0, 0, 0]);
}

#[test]
fn a_grpc_check_asks_about_the_service_that_the_file_names() {
    let backend = GrpcBackend::start(|_| GrpcAnswer::health(SERVING));
    let proxy = checked(&[(backend.address(), "{ service: shop.Orders }")], ONCE);
    assert_eq!(verdict(&proxy, backend.address()), "up");
    let message = backend.calls().remove(0).message;
    assert_eq!(message, b"\0\0\0\0\x0D\x0A\x0Bshop.Orders");
}

/// What is answered, what the file says of the service, and why the backend is down then.
type Case = (GrpcAnswer, &'static str, &'static str);

fn assert_down(cases: &[Case]) {
    let backends: Vec<_> = cases
        .iter()
        .map(|(answer, ..)| {
            let answer = answer.clone();
            GrpcBackend::start(move |_| answer.clone())
        })
        .collect();
    let services: Vec<_> = std::iter::zip(&backends, cases)
        .map(|(backend, (_, service, _))| (backend.address(), *service))
        .collect();
    let proxy = checked(&services, ONCE);
    for (backend, (.., reason)) in std::iter::zip(&backends, cases) {
        let verdict = verdict(&proxy, backend.address());
        assert_eq!(verdict, format!("down: {reason}"));
    }
}

#[test]
fn a_grpc_server_that_does_not_say_serving_is_down() {
    assert_down(&[
        (
            GrpcAnswer::health(NOT_SERVING),
            "{}",
            "it says that it does not serve (NOT_SERVING)",
        ),
        (
            GrpcAnswer::health(NOT_SERVING),
            "{ service: a.B }",
            "it says that it does not serve \"a.B\" (NOT_SERVING)",
        ),
        (
            GrpcAnswer::health(UNKNOWN),
            "{}",
            "it does not know whether it serves (UNKNOWN)",
        ),
        (
            GrpcAnswer::health(SERVICE_UNKNOWN),
            "{ service: a.B }",
            "it has no service \"a.B\" (SERVICE_UNKNOWN)",
        ),
        (
            GrpcAnswer::health(9),
            "{}",
            "it answered with the unknown serving status 9",
        ),
        (GrpcAnswer::silence(), "{}", "it did not answer within 1s"),
    ]);
}

#[test]
fn a_grpc_server_whose_call_fails_is_down_in_the_trailers_as_in_the_head() {
    let in_trailers = [("grpc-status", "14"), ("grpc-message", "draining")];
    let in_head = [("grpc-status", "5"), ("grpc-message", "unknown service")];
    assert_down(&[
        (
            GrpcAnswer::health(SERVING).with_trailers(&in_trailers),
            "{}",
            "it could not say (grpc-status 14 UNAVAILABLE: draining)",
        ),
        (
            GrpcAnswer::head_only(200, &in_head),
            "{ service: a.B }",
            "it has no service \"a.B\" (grpc-status 5 NOT_FOUND: unknown service)",
        ),
        (
            GrpcAnswer::head_only(200, &[("grpc-status", "12")]),
            "{}",
            "it has no grpc.health.v1.Health (grpc-status 12 UNIMPLEMENTED)",
        ),
        (
            GrpcAnswer::head_only(503, &[("grpc-status", "0")]),
            "{}",
            "it answered with status 503",
        ),
    ]);
}

#[test]
fn a_grpc_server_whose_answer_is_none_is_down() {
    assert_down(&[
        (
            GrpcAnswer::head_only(200, &[("grpc-status", "0")]),
            "{}",
            "its answer is no HealthCheckResponse",
        ),
        (
            GrpcAnswer::health(SERVING).with_trailers(&[]),
            "{}",
            "its answer has no grpc-status",
        ),
        (
            GrpcAnswer::health(SERVING).with_trailers(&[("grpc-message", "fine")]),
            "{}",
            "its answer has no grpc-status",
        ),
        (
            GrpcAnswer::health(SERVING).with_body(b"\0\0\0\0\x02\x08"),
            "{}",
            "its answer is no HealthCheckResponse",
        ),
    ]);
}

#[test]
fn a_grpc_check_of_a_server_without_http2_says_that() {
    let backend = Backend::saying("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    let proxy = checked(&[(backend.address(), "{}")], ONCE);
    let verdict = verdict(&proxy, backend.address());
    assert!(
        verdict.starts_with("down: the exchange over HTTP/2 broke off")
            && verdict.ends_with("does it speak HTTP/2?"),
        "{verdict}"
    );
}

/// Seen failing with more than one stream for each connection: Pingora then keeps it for others.
#[test]
fn a_grpc_check_closes_its_connection() {
    let good = GrpcBackend::start(|_| GrpcAnswer::health(SERVING));
    let silent = GrpcBackend::start(|_| GrpcAnswer::silence());
    let backends = [(good.address(), "{}"), (silent.address(), "{}")];
    let _proxy = checked(&backends, "interval: 1h, timeout: 200ms");
    assert_eq!((good.calls().len(), silent.calls().len()), (1, 1));
    eventually("both connections are closed", || {
        good.connections() + silent.connections() == 0
    });
}

#[test]
fn a_backend_follows_what_its_grpc_server_says() {
    let application = Backend::answering(|_: &Request| ok("served"));
    let says = Arc::new(AtomicU8::new(SERVING));
    let script = Arc::clone(&says);
    let say = move |number| says.store(number, Ordering::Relaxed);
    let health = GrpcBackend::start(move |_| GrpcAnswer::health(script.load(Ordering::Relaxed)));
    let rest = format!("interval: 500ms, port: {}", health.address().port());
    let proxy = checked(&[(application.address(), "{}")], &rest);
    eventually("the backend is up", || proxy.get("/").status == 200);
    say(NOT_SERVING);
    eventually("the backend is down", || proxy.get("/").status == 503);
    say(SERVING);
    eventually("the backend is up again", || proxy.get("/").status == 200);
}
