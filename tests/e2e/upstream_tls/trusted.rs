//! Who is believed, and what is said at the start about whom that is.

use std::fs;

use super::{NAME, answering, file, start, start_trusting};
use crate::support::{Authority, Certificate, Proxy, evenkeel, expired, output_of, write_file};

#[test]
fn the_system_s_authorities_are_believed_when_none_is_named_and_only_then() {
    let (system, own) = (Authority::new("system"), Authority::new("own"));
    let backend = answering(&system.issue(&[NAME]));
    let files = [("system.pem", system.pem()), ("own.pem", own.pem())];
    let configured =
        |tls: &str| start_trusting(&file(&[backend.address()], tls), &files, Some("system.pem"));
    assert_eq!(
        configured("tls: { server_name: app.test }").get("/").status,
        200
    );
    let named = configured("tls: { server_name: app.test, ca: own.pem }");
    assert_eq!(named.get("/").status, 502);
}

#[test]
fn with_verify_false_anybody_is_believed_and_the_log_says_so_at_the_start() {
    let stranger = Authority::new("another one");
    let backend = answering(&stranger.issue_with(&["other.test"], expired));
    // Without any authority of the system: a small container has none. Seen failing without the one that stands in.
    let proxy = start_trusting(
        &file(&[backend.address()], "tls: { verify: false }"),
        &[("none.pem", String::new())],
        Some("none.pem"),
    );
    assert_eq!(proxy.get("/").text(), "over TLS");
    let warnings: Vec<_> = proxy
        .stderr
        .all()
        .into_iter()
        .filter(|line| {
            line.contains("upstreams.hello.tls.verify: false: no certificate is verified")
        })
        .collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

#[test]
fn a_self_signed_certificate_is_believed_when_it_is_named_itself() {
    let itself = Certificate::self_signed(&[NAME], |_| {});
    let backend = answering(&itself);
    let settings = "tls: { ca: ca.pem, server_name: app.test }";
    let proxy = start(
        &file(&[backend.address()], settings),
        &[("ca.pem", itself.pem())],
    );
    assert_eq!(proxy.get("/").status, 200);
}

#[test]
fn what_has_expired_in_the_files_is_warned_of_with_its_date() {
    let authority = Authority::with("our authority", expired);
    let backend = answering(&authority.issue(&[NAME]));
    let client = authority.issue_with(&["evenkeel.test"], expired);
    let configuration = file(
        &[backend.address()],
        "tls: { ca: ca.pem, server_name: app.test, client_cert: client.pem, client_key: client.key }",
    );
    let files = [
        ("ca.pem", authority.pem()),
        ("client.pem", client.pem()),
        ("client.key", client.key_pem()),
    ];
    let warnings = ["ca", "client_cert"]
        .map(|key| format!("upstreams.hello.tls.{key}: the certificate has expired on 2024-05-01"));
    let proxy = start(&configuration, &files);
    for warning in &warnings {
        proxy
            .stderr
            .find("a warning", |line| line.contains(warning).then_some(()));
    }
    // As the warning says: the dates of an authority are not looked at (RFC 5280 §6.1.1 takes only its name and key).
    assert_eq!(proxy.get("/").status, 200);

    let mut command = evenkeel();
    command.args(["-t", "-c"]).arg(proxy.path("evenkeel.yaml"));
    let output = output_of(command);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    for warning in &warnings {
        assert!(said.contains(&format!("warning: {warning}")), "{said}");
    }
}

#[test]
fn a_relative_path_starts_at_the_folder_of_the_configuration_wherever_the_program_runs() {
    let folder = tempfile::TempDir::new().unwrap();
    let inside = folder.path().join("inside");
    fs::create_dir(&inside).unwrap();
    let address = "127.0.0.1:1".parse().unwrap();
    fs::write(
        inside.join("lb.yaml"),
        file(&[address], "tls: { ca: tls/ca.pem }"),
    )
    .unwrap();
    fs::create_dir(inside.join("tls")).unwrap();
    fs::write(inside.join("tls/ca.pem"), Authority::new("ours").pem()).unwrap();
    for (from, file) in [
        (folder.path(), "inside/lb.yaml"),
        (inside.as_path(), "lb.yaml"),
    ] {
        let mut command = evenkeel();
        command.current_dir(from).args(["-t", "-c", file]);
        let output = output_of(command);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
    }
}

#[test]
fn a_system_without_authorities_is_told_at_the_start_and_at_each_reload_that_needs_some() {
    let address = "127.0.0.1:1".parse().unwrap();
    let needs_some = file(&[address], "tls: {}");
    let warnings = |proxy: &Proxy| {
        let lines = proxy.stderr.all();
        let is_warning =
            |line: &&String| line.contains("upstreams.hello.tls: this system trusts no authority");
        lines.iter().filter(is_warning).count()
    };
    let nobody = [("none.pem", String::new())];
    let proxy = start_trusting(&needs_some, &nobody, Some("none.pem"));
    assert_eq!(warnings(&proxy), 1);

    proxy.reload(&file(&[address], ""));
    assert_eq!(warnings(&proxy), 1);
    // A file that comes later is nobody's to read before the next start.
    fs::write(proxy.path("none.pem"), Authority::new("late").pem()).unwrap();
    proxy.reload(&needs_some);
    assert_eq!(warnings(&proxy), 2);
}

#[test]
fn authorities_of_the_system_that_cannot_be_read_end_the_program_with_1_and_say_what_to_do() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = write_file(
        folder.path(),
        &file(&["127.0.0.1:1".parse().unwrap()], "tls: {}"),
    );
    let mut command = evenkeel();
    command.arg("-c").arg(path);
    command.env("SSL_CERT_FILE", folder.path().join("missing.pem"));
    command.env_remove("SSL_CERT_DIR");
    let output = output_of(command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("SSL_CERT_FILE"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
