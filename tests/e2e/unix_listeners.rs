//! Listeners on Unix sockets: who a client is that has no address, and what becomes of the file.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::process::Signal;

use crate::support::{
    Authority, Backend, Client, Http2Client, Proxy, TlsClient, evenkeel, eventually, ok, output_of,
    port_to, write_file,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
const SOCKET: &str = "  - address: unix:web.sock\n";

/// A listener on a Unix socket and one on a port, in front of this backend; with these keys of the first, and of the file.
fn in_front_of(backend: &Backend, listener: &str, keys: &str) -> Proxy {
    Proxy::start(&file(backend, listener, keys))
}

fn file(backend: &Backend, listener: &str, keys: &str) -> String {
    format!(
        "listeners:\n{SOCKET}{listener}  - address: 127.0.0.1:0\n{keys}\
         upstreams: {{ hello: {{ backends: [{}] }} }}\nroutes: [{{ upstream: hello }}]\n",
        backend.address()
    )
}

/// One that answers itself.
fn answering(listener: &str) -> String {
    format!(
        "listeners:\n{SOCKET}{listener}  - address: 127.0.0.1:0\nroutes: [{{ respond: {{ status: 200, body: fine }} }}]\n"
    )
}

fn fine() -> Backend {
    Backend::answering(|_| ok("fine"))
}

fn connect(proxy: &Proxy) -> Client {
    Client::connect_unix(&proxy.path("web.sock"))
}

/// The file of the test's configuration, checked or run to its end.
fn run(folder: &Path, file: &str) -> (Option<i32>, String) {
    let mut command = evenkeel();
    command.arg("-c").arg(write_file(folder, file));
    let output = output_of(command);
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

const LOG: &str = "access_log: { format: \"$remote_addr|$remote_port|$realip_remote_addr|$proxy_add_x_forwarded_for|$server_port\" }\n";

#[test]
fn a_client_on_a_unix_socket_is_served_and_has_no_address() {
    let backend = fine();
    let keys = format!("{LOG}forwarded: {{ rfc7239: true }}\n");
    let proxy = in_front_of(&backend, "", &keys);
    let spoofed =
        "GET / HTTP/1.1\r\nHost: a.test\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded-Port: 1\r\n\r\n";
    let mut client = connect(&proxy);
    assert_eq!(client.ask(spoofed).text(), "fine");
    assert_eq!(client.ask(GET).text(), "fine");
    let request = &backend.requests()[0];
    let header = |name| request.header(name);
    assert_eq!(header("X-Forwarded-For").as_deref(), Some("unknown"));
    assert_eq!(header("X-Real-IP"), None);
    assert_eq!(header("X-Forwarded-Port"), None);
    let forwarded = header("Forwarded");
    assert_eq!(
        forwarded.as_deref(),
        Some("for=unknown;host=a.test;proto=http")
    );
    proxy.stdout.find("the log", |line| {
        (line == "unix:||unix:|unix:|" || line == "unix:|-|unix:|unix:|-").then_some(())
    });
}

#[test]
fn what_a_client_on_a_unix_socket_says_of_others_is_believed_where_these_are_trusted() {
    let asked = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n";
    for (trusted, client) in [("[unix]", "192.0.2.7"), ("[127.0.0.1]", "unix:")] {
        let backend = fine();
        let keys = format!("{LOG}trusted_proxies: {trusted}\n");
        let proxy = in_front_of(&backend, "", &keys);
        assert_eq!(connect(&proxy).ask(asked).text(), "fine");
        let request = &backend.requests()[0];
        let list = request.header("X-Forwarded-For");
        assert_eq!(list.as_deref(), Some("192.0.2.7, unknown"));
        let address = request.header("X-Real-IP");
        assert_eq!(
            address.as_deref(),
            Some(client).filter(|client| *client != "unix:")
        );
        let start = format!("{client}|");
        proxy
            .stdout
            .find("the log", |line| line.starts_with(&start).then_some(()));
    }
}

#[test]
fn a_proxy_on_a_unix_socket_can_introduce_its_clients() {
    let backend = fine();
    let listener = "    proxy_protocol: require\n";
    let proxy = in_front_of(&backend, listener, "trusted_proxies: [unix]\n");
    let header = [
        &b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..],
        &[192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb],
    ]
    .concat();
    let mut client = connect(&proxy);
    // In two pieces, so that the first is looked at and is not enough.
    client.send(&header[..13]);
    client.send([&header[13..], GET.as_bytes()].concat());
    assert_eq!(client.answer().text(), "fine");
    let address = backend.requests()[0].header("X-Real-IP");
    assert_eq!(address.as_deref(), Some("192.0.2.1"));
    let nobody = in_front_of(&backend, listener, "trusted_proxies: [127.0.0.1]\n");
    let mut client = connect(&nobody);
    client.try_send(&header);
    assert!(client.is_closed());
}

#[test]
fn tls_and_http2_are_spoken_on_a_unix_socket() {
    let proxy = Proxy::start(&answering(""));
    let port = port_to(&proxy.path("web.sock"));
    assert_eq!(Http2Client::connect(port).get("/").text(), "fine");

    let authority = Authority::new("ours");
    let certificate = authority.issue(&["a.test"]);
    let tls = answering("    tls: { certificates: [{ cert: cert.pem, key: key.pem }] }\n");
    let proxy = Proxy::start_with(&tls, |command| {
        let folder = command.get_current_dir().unwrap();
        fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
        fs::write(folder.join("key.pem"), certificate.key_pem()).unwrap();
    });
    let port = port_to(&proxy.path("web.sock"));
    let (mut client, _) = TlsClient::new(&authority).connect(port, "a.test");
    assert_eq!(client.ask(GET).text(), "fine");
}

#[test]
fn the_file_is_removed_when_the_program_stops() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut proxy = Proxy::start(&answering(""));
        assert_eq!(connect(&proxy).ask(GET).text(), "fine");
        proxy.signal(signal);
        proxy.end();
        assert!(!proxy.path("web.sock").exists(), "{signal:?}");
    }
}

#[test]
fn a_file_that_a_former_process_has_left_is_replaced() {
    let proxy = Proxy::start_with(&answering(""), |command| {
        let folder = command.get_current_dir().unwrap();
        drop(UnixListener::bind(folder.join("web.sock")).unwrap());
    });
    assert_eq!(connect(&proxy).ask(GET).text(), "fine");
}

#[test]
fn a_socket_on_which_somebody_listens_and_a_file_that_is_none_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.sock");
    let _other = UnixListener::bind(&path).unwrap();
    let (status, said) = run(folder.path(), &answering(""));
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("another process listens there"), "{said}");
    assert!(fs::symlink_metadata(&path).unwrap().file_type().is_socket());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.sock");
    fs::write(&path, "precious").unwrap();
    let (status, said) = run(folder.path(), &answering(""));
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("a file that is no socket"), "{said}");
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

#[test]
fn the_file_has_the_permissions_that_its_mode_says() {
    let proxy = Proxy::start(&answering("    mode: \"0612\"\n"));
    let mode = || {
        let file = fs::metadata(proxy.path("web.sock")).unwrap();
        file.permissions().mode() & 0o777
    };
    assert_eq!(mode(), 0o612);
    proxy.reload(&answering("    mode: \"0666\"\n"));
    assert_eq!(mode(), 0o666);
    assert_eq!(connect(&proxy).ask(GET).text(), "fine");
}

#[test]
fn a_listener_on_a_unix_socket_comes_and_goes_with_the_file_that_is_loaded() {
    let without = answering("").replace(SOCKET, "");
    let proxy = Proxy::start(&without);
    proxy.reload(&answering(""));
    assert_eq!(connect(&proxy).ask(GET).text(), "fine");
    // The same socket under other settings.
    proxy.reload(&answering("    timeouts: { header: 5s }\n"));
    assert_eq!(connect(&proxy).ask(GET).text(), "fine");
    proxy.reload(&without);
    eventually("the file is gone", || !proxy.path("web.sock").exists());
}

#[test]
fn a_client_without_an_address_is_in_no_network_and_is_limited_with_all_others() {
    let backend = fine();
    let allow = "filters: [{ ip_access: { allow: [0.0.0.0/0, \"::/0\"] } }]\n";
    let proxy = in_front_of(&backend, "", allow);
    assert_eq!(connect(&proxy).ask(GET).status, 403);
    let deny = "filters: [{ ip_access: { deny: [0.0.0.0/0, \"::/0\"] } }]\n";
    let proxy = in_front_of(&backend, "", deny);
    assert_eq!(connect(&proxy).ask(GET).status, 200);
    for key in ["", ", key: $remote_addr"] {
        let limit = format!("filters: [{{ rate_limit: {{ rate: 1/h, burst: 2{key} }} }}]\n");
        let proxy = in_front_of(&backend, "", &limit);
        let statuses = [(); 3].map(|()| connect(&proxy).ask(GET).status);
        assert_eq!(statuses, [200, 200, 429]);
    }
}

#[test]
fn an_explanation_can_be_of_a_client_on_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let file = write_file(folder.path(), &file(&fine(), "", ""));
    let mut explain = evenkeel();
    explain.args(["explain", "--json", "--from", "unix:", "GET http://a.test/"]);
    explain.arg("-c").arg(&file);
    let told: serde_json::Value = serde_json::from_slice(&output_of(explain).stdout).unwrap();
    assert_eq!(told["client"], "unix:");
    let headers = told["request"]["headers"].to_string();
    assert!(
        headers.contains("[\"X-Forwarded-For\",\"unknown\"]"),
        "{headers}"
    );
    assert!(!headers.contains("X-Real-IP"), "{headers}");
}
