//! Backends on Unix sockets: whatever works with a port works with a path.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use crate::support::{
    Authority, Backend, Client, GrpcAnswer, GrpcBackend, HelloBackend, Http2Backend, Proxy,
    UnixSocket, evenkeel, get_with, ok, output_of, write_file,
};

/// One upstream of these backends, with these keys besides.
fn file(backends: &[&str], keys: &str) -> String {
    format!(
        "listeners:\n  - address: 127.0.0.1:0\n\
         upstreams:\n  hello:\n    backends: [\"{}\"]\n    {keys}\n\
         routes:\n  - upstream: hello\n",
        backends.join("\", \"")
    )
}

/// What the log says first of the health of the backend at this path.
fn verdict(proxy: &Proxy, socket: &UnixSocket) -> String {
    let of_it = format!("backend {} is ", socket.address());
    proxy.stderr.find("a verdict", |line| {
        let (_, verdict) = line.split_once(&of_it)?;
        Some(verdict.to_owned())
    })
}

#[test]
fn requests_reach_a_backend_on_a_unix_socket_and_the_log_names_its_path() {
    let hello = HelloBackend::start("a");
    let socket = UnixSocket::to(hello.address());
    let proxy = Proxy::start(&file(&[&socket.address()], "retry: off"));
    assert_eq!(proxy.get("/").hostname(), "a");
    let line = proxy.logged(|line| line["status"] == 200);
    assert_eq!(line["upstream_addr"], socket.address());
}

#[test]
fn a_relative_path_starts_at_the_folder_of_the_configuration_file() {
    let hello = HelloBackend::start("a");
    let socket = UnixSocket::to(hello.address());
    let file = file(&["unix:app.sock"], "retry: off");
    let proxy = Proxy::start_with(&file, |command| {
        let folder = command.get_current_dir().unwrap().to_owned();
        symlink(socket.path(), folder.join("app.sock")).unwrap();
        command.current_dir("/");
    });
    assert_eq!(proxy.get("/").hostname(), "a");
}

#[test]
fn an_explanation_names_the_unix_socket() {
    let hello = HelloBackend::start("a");
    let socket = UnixSocket::to(hello.address());
    let host = "retry: off\nforwarded: { host: upstream }";
    let file = write_file(socket.folder(), &file(&[&socket.address()], host));
    let mut explain = evenkeel();
    explain.arg("explain").arg("-c").arg(&file);
    explain.args(["--json", "GET http://a.test/"]);
    let told = output_of(explain).stdout;
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(told["backend"], socket.address());
    let headers = told["request"]["headers"].as_array().unwrap();
    let host = serde_json::json!(["Host", "localhost"]);
    assert!(headers.contains(&host), "{told}");
}

/// The kernel names the path that the backend was started with, which is another one here. Seen failing with the path as Pingora's own
/// address of the peer.
#[test]
fn connections_to_a_unix_socket_are_kept_also_when_it_is_reached_through_a_link() {
    let hello = HelloBackend::start("a");
    let socket = UnixSocket::to(hello.address());
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("linked");
    symlink(socket.folder(), &link).unwrap();
    let address = format!("unix:{}", link.join("app.sock").display());
    let proxy = Proxy::start(&file(&[&address], "retry: off"));
    for _ in 0..5 {
        assert_eq!(proxy.get("/").status, 200);
    }
    assert_eq!(socket.connections(), 1);
    let errors: Vec<_> = proxy.stderr.all();
    assert!(
        !errors.iter().any(|line| line.contains("ERROR")),
        "{errors:?}"
    );
}

/// Two services, the sockets that lead to them, and the proxy, with these keys of the upstream.
fn in_front_of_two(keys: &str) -> ([HelloBackend; 2], [UnixSocket; 2], Proxy) {
    let hellos = ["a", "b"].map(HelloBackend::start);
    let sockets = hellos
        .each_ref()
        .map(|hello| UnixSocket::to(hello.address()));
    let addresses = sockets.each_ref().map(UnixSocket::address);
    let proxy = Proxy::start(&file(&addresses.each_ref().map(String::as_str), keys));
    (hellos, sockets, proxy)
}

#[test]
fn connections_to_two_unix_sockets_are_never_mixed_up() {
    let (_hellos, sockets, proxy) = in_front_of_two("retry: off");
    let mut client = Client::connect(proxy.address());
    for _ in 0..5 {
        for name in ["a", "b"] {
            let answer = client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
            assert_eq!(answer.hostname(), name);
        }
    }
    assert_eq!(sockets.each_ref().map(UnixSocket::connections), [1, 1]);
}

#[test]
fn a_backend_on_a_unix_socket_is_called_localhost_where_it_is_not_to_see_the_client_s_host() {
    let backend = Backend::answering(|_| ok("fine"));
    let socket = UnixSocket::to(backend.address());
    let host_of_its_own = "retry: off\nforwarded: { host: upstream }";
    let proxy = Proxy::start(&file(&[&socket.address()], host_of_its_own));
    assert_eq!(proxy.get("/").status, 200);
    let host = backend.requests()[0].header("host");
    assert_eq!(host.as_deref(), Some("localhost"));
}

#[test]
fn tls_is_spoken_over_a_unix_socket_with_the_name_that_the_file_says() {
    let authority = Authority::new("ours");
    let certificate = authority.issue(&["app.test"]);
    let backend = Backend::answering_tls(certificate.server(), |_| ok("fine"));
    let socket = UnixSocket::to(backend.address());
    fs::write(socket.folder().join("ca.pem"), authority.pem()).unwrap();
    let ca = socket.folder().join("ca.pem");
    let tls = format!("tls: {{ ca: \"{}\", server_name: app.test }}", ca.display());
    let proxy = Proxy::start(&file(&[&socket.address()], &tls));
    assert_eq!(proxy.get("/").text(), "fine");
    assert_eq!(backend.handshakes().len(), 1);
}

#[test]
fn http2_is_spoken_over_a_unix_socket() {
    let backend = Http2Backend::start(|mut incoming| async move { incoming.answer("fine") });
    let socket = UnixSocket::to(backend.address());
    let proxy = Proxy::start(&file(&[&socket.address()], "protocol: http2"));
    for _ in 0..3 {
        assert_eq!(proxy.get("/").text(), "fine");
    }
    assert_eq!(socket.connections(), 1);
}

#[test]
fn a_check_over_http_asks_localhost_on_a_unix_socket() {
    let backend = Backend::answering(|_| ok("fine"));
    let socket = UnixSocket::to(backend.address());
    let check = "health_check: { http: { path: /health }, interval: 1h }";
    let proxy = Proxy::start(&file(&[&socket.address()], check));
    assert_eq!(verdict(&proxy, &socket), "up");
    let asked = &backend.requests()[0];
    assert_eq!(asked.target(), "/health");
    assert_eq!(asked.header("host").as_deref(), Some("localhost"));
}

#[test]
fn a_check_over_grpc_asks_localhost_on_a_unix_socket() {
    let backend = GrpcBackend::start(|_| GrpcAnswer::health(1));
    let socket = UnixSocket::to(backend.address());
    let check = "health_check: { grpc: {}, interval: 1h }";
    let proxy = Proxy::start(&file(&[&socket.address()], check));
    assert_eq!(verdict(&proxy, &socket), "up");
    let asked = backend.calls().remove(0).head.uri().to_string();
    assert_eq!(asked, "http://localhost/grpc.health.v1.Health/Check");
}

#[test]
fn a_check_finds_a_unix_socket_down_that_nobody_listens_on_and_up_when_somebody_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    // The file of a socket stays behind when its process ends.
    drop(UnixListener::bind(&path).unwrap());
    let address = format!("unix:{}", path.display());
    let check = "health_check: { tcp: {}, interval: 20ms, healthy_after: 1 }";
    let proxy = Proxy::start(&file(&[&address], check));
    let line = |words: &'static str| {
        proxy
            .stderr
            .find(words, |line| line.contains(words).then_some(()));
    };
    line("is down: it refused the connection");
    fs::remove_file(&path).unwrap();
    let _listener = UnixListener::bind(&path).unwrap();
    line("is up again");
}

#[test]
fn a_session_stays_on_its_unix_socket() {
    let (_hellos, _sockets, proxy) = in_front_of_two("sticky: { cookie: lb }");
    let first = proxy.get("/");
    let cookie = first.header("set-cookie").unwrap();
    let cookie = cookie.split(';').next().unwrap();
    for _ in 0..5 {
        let again = get_with(proxy.address(), "/", &format!("Cookie: {cookie}\r\n"));
        assert_eq!(again.hostname(), first.hostname());
    }
}

#[test]
fn a_request_goes_elsewhere_when_a_unix_socket_is_not_there() {
    let hello = HelloBackend::start("a");
    let socket = UnixSocket::to(hello.address());
    let missing = format!("unix:{}", socket.folder().join("missing.sock").display());
    let proxy = Proxy::start(&file(
        &[&missing, &socket.address()],
        "outlier: { failures: 2, max_ejected: 50%, eject: 1h }",
    ));
    for _ in 0..6 {
        assert_eq!(proxy.get("/").hostname(), "a");
    }
    let ejected = format!("backend {missing} is ejected");
    proxy
        .stderr
        .find("the ejection", |line| line.contains(&ejected).then_some(()));
}

#[test]
fn a_websocket_goes_over_a_unix_socket() {
    let backend = Backend::start(|conversation| {
        if conversation.request().is_some() {
            conversation.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nwelcome");
            conversation.wait_for(b"question");
            conversation.send("answer");
        }
    });
    let socket = UnixSocket::to(backend.address());
    let proxy = Proxy::start(&file(&[&socket.address()], "retry: off"));
    let mut client = Client::connect(proxy.address());
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    let asked = format!("GET /chat HTTP/1.1\r\nHost: a.test\r\n{upgrade}\r\n");
    assert_eq!(client.ask(asked).status, 101);
    client.wait_for(b"welcome");
    client.send("question");
    client.wait_for(b"answer");
}

#[test]
fn a_file_that_is_loaded_anew_may_move_a_backend_from_a_port_to_a_unix_socket() {
    let hello = HelloBackend::start("a");
    let socket = UnixSocket::to(hello.address());
    let proxy = Proxy::start(&file(&[&hello.address().to_string()], "retry: off"));
    assert_eq!(proxy.get("/").hostname(), "a");
    proxy.reload(&file(&[&socket.address()], "retry: off"));
    assert_eq!(proxy.get("/").hostname(), "a");
    assert_eq!(socket.connections(), 1);
}
