//! Clients that show a certificate, and clients that do not.

use rcgen::{CertificateParams, DistinguishedName, DnType};
use rustls::version;

use super::{get, start_with};
use crate::support::{Authority, Backend, Certificate, Proxy, TlsClient, ok};

const LOG: &str = "filters: [{ request_headers: { set: { X-Verify: '$ssl_client_verify', X-Subject: '$ssl_client_s_dn' } } }]\n";

fn named(parameters: &mut CertificateParams) {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Example, Inc.");
    name.push(DnType::CommonName, "client one");
    parameters.distinguished_name = name;
}

struct Setting {
    servers: Authority,
    clients: Authority,
    backend: Backend,
    proxy: Proxy,
}

impl Setting {
    fn new(auth: &str) -> Self {
        let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
        let backend = Backend::answering(|_| ok("hello"));
        let own = servers.issue(&["a.test"]);
        let keys = format!(", client_ca: clients.pem{auth}");
        let files = [("clients.pem", clients.pem())];
        let proxy = start_with(&backend, &[&own], &keys, LOG, &files);
        Self {
            servers,
            clients,
            backend,
            proxy,
        }
    }

    /// What a request with this certificate is answered, if it comes so far.
    fn ask(
        &self,
        certificate: Option<&Certificate>,
        version: &'static rustls::SupportedProtocolVersion,
    ) -> Option<u16> {
        let client = TlsClient::with(&self.servers, |habits| {
            habits.certificate = certificate;
            habits.versions = vec![version];
        });
        let (mut client, _) = client.try_connect(self.proxy.address(), "a.test").ok()?;
        client.try_send(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        client.try_answer().ok().map(|answer| answer.status)
    }
}

#[test]
fn with_client_ca_nobody_is_let_in_without_a_certificate_of_it() {
    let setting = Setting::new("");
    let good = setting.clients.issue_with(&["client"], named);
    let stranger = Authority::new("strangers").issue(&["client"]);
    for version in [&version::TLS12, &version::TLS13] {
        assert_eq!(setting.ask(None, version), None);
        assert_eq!(setting.ask(Some(&stranger), version), None);
        assert_eq!(setting.ask(Some(&good), version), Some(200));
    }
    for why in ["shows no certificate", "issued by nobody in `client_ca`"] {
        setting
            .proxy
            .stderr
            .find("why", |line| line.contains(why).then_some(()));
    }
    let requests = setting.backend.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!(request.header("X-Verify").as_deref(), Some("SUCCESS"));
        let subject = request.header("X-Subject");
        assert_eq!(subject.as_deref(), Some("CN=client one,O=Example\\, Inc."));
    }
}

#[test]
fn with_client_auth_optional_a_client_may_come_without_but_not_with_another_s() {
    let setting = Setting::new(", client_auth: optional");
    let good = setting.clients.issue_with(&["client"], named);
    let stranger = Authority::new("strangers").issue(&["client"]);
    assert_eq!(setting.ask(None, &version::TLS13), Some(200));
    assert_eq!(setting.ask(Some(&stranger), &version::TLS13), None);
    assert_eq!(setting.ask(Some(&good), &version::TLS13), Some(200));
    let verdicts: Vec<_> = setting
        .backend
        .requests()
        .iter()
        .map(|request| request.header("X-Verify"))
        .collect();
    assert_eq!(
        verdicts,
        [Some("NONE".to_owned()), Some("SUCCESS".to_owned())]
    );
}

#[test]
fn with_client_auth_required_a_client_without_a_certificate_is_turned_away() {
    let setting = Setting::new(", client_auth: required");
    assert_eq!(setting.ask(None, &version::TLS13), None);
    assert!(setting.backend.requests().is_empty());
}

#[test]
fn a_client_s_own_words_about_its_certificate_do_not_reach_the_backend() {
    let setting = Setting::new(", client_auth: optional");
    let client = TlsClient::new(&setting.servers);
    let (mut client, _) = client.connect(setting.proxy.address(), "a.test");
    client.ask("GET / HTTP/1.1\r\nHost: a.test\r\nX-Verify: SUCCESS\r\nX-Subject: CN=root\r\n\r\n");
    let request = &setting.backend.requests()[0];
    assert_eq!(request.header("X-Verify").as_deref(), Some("NONE"));
    assert_ne!(request.header("X-Subject").as_deref(), Some("CN=root"));
    assert_eq!(get(&mut client, "a.test", "/own").status, 204);
}
