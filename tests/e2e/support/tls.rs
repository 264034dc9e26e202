//! Authorities and certificates that a test makes for itself, and what a backend needs to speak TLS with them.

use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    SignatureAlgorithm, date_time_ymd,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned, version};

use super::client::find;

/// Issues certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, |_| {})
    }

    pub(crate) fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut parameters = parameters(name, &[]);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut parameters);
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A certificate for these names, with a key of this kind.
    pub(crate) fn issue_for(
        &self,
        names: &[&str],
        algorithm: &'static SignatureAlgorithm,
    ) -> Certificate {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = parameters("issued", names)
            .signed_by(&key, &self.0)
            .unwrap();
        Certificate::new(&certificate, key)
    }

    /// A certificate for these names and IP addresses.
    pub(crate) fn issue(&self, names: &[&str]) -> Certificate {
        self.issue_with(names, |_| {})
    }

    pub(crate) fn issue_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Certificate {
        let mut parameters = parameters("issued", names);
        change(&mut parameters);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        Certificate::new(&certificate, key)
    }
}

fn parameters(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut parameters = CertificateParams::new(names).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}

/// Makes a certificate one that expired on 1 May 2024.
pub(crate) fn expired(parameters: &mut CertificateParams) {
    parameters.not_before = date_time_ymd(2024, 1, 1);
    parameters.not_after = date_time_ymd(2024, 5, 1);
}

/// A certificate and its key.
pub(crate) struct Certificate {
    pem: String,
    der: CertificateDer<'static>,
    key: KeyPair,
}

impl Certificate {
    fn new(certificate: &rcgen::Certificate, key: KeyPair) -> Self {
        Self {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            key,
        }
    }

    /// What is shown is changed in this place; it was signed without the change.
    pub(crate) fn with_bytes(mut self, old: &[u8], new: &[u8]) -> Self {
        let mut der = self.der.to_vec();
        let at = find(&der, old).unwrap();
        der[at..at + old.len()].copy_from_slice(new);
        self.der = der.into();
        self
    }

    /// One that nobody but its own key has signed.
    pub(crate) fn self_signed(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut parameters = parameters("self-signed", names);
        change(&mut parameters);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        Self::new(&certificate, key)
    }

    pub(crate) fn pem(&self) -> String {
        self.pem.clone()
    }

    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    pub(crate) fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    pub(crate) fn key_der(&self) -> Vec<u8> {
        self.key.serialize_der()
    }

    /// For a backend that shows this certificate.
    pub(crate) fn server(&self) -> ServerConfig {
        self.server_that(version::TLS13.version, None)
    }

    /// For a backend that shows this certificate, speaks this version of TLS only, and lets nobody in without a
    /// certificate of `clients`.
    pub(crate) fn server_that(
        &self,
        version: rustls::ProtocolVersion,
        clients: Option<&Authority>,
    ) -> ServerConfig {
        let provider = Arc::new(default_provider());
        let version = rustls::ALL_VERSIONS
            .iter()
            .find(|known| known.version == version)
            .unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.0.der().clone()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let mut config = builder
            .with_single_cert(vec![self.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config
    }
}

/// What a backend learned of the proxy when TLS began.
#[derive(Debug, Clone)]
pub(crate) struct Handshake {
    /// The name that it was asked for.
    pub(crate) server_name: Option<String>,
    /// The certificates that it was shown, the proxy's own first.
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    /// Whether it was cut short, because the two knew each other.
    pub(crate) is_resumed: bool,
}

pub(crate) type TlsStream = StreamOwned<ServerConnection, TcpStream>;

/// TLS on a connection that was accepted; `None` when it did not come about.
pub(crate) fn accept(
    config: &Arc<ServerConfig>,
    mut socket: TcpStream,
) -> Option<(TlsStream, Handshake)> {
    let mut connection = ServerConnection::new(Arc::clone(config)).unwrap();
    while connection.is_handshaking() {
        if connection.complete_io(&mut socket).is_err() {
            refuse(&mut connection, &mut socket);
            return None;
        }
    }
    let handshake = Handshake {
        server_name: connection.server_name().map(str::to_owned),
        certificates: connection.peer_certificates().unwrap_or_default().to_vec(),
        is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
    };
    Some((StreamOwned::new(connection, socket), handshake))
}

/// Sends the alert that is waiting, and closes in an order in which it arrives: a close with bytes unread is a reset,
/// which may overtake it.
fn refuse(connection: &mut ServerConnection, socket: &mut TcpStream) {
    while connection.wants_write() && connection.write_tls(socket).is_ok() {}
    let _ = socket.shutdown(Shutdown::Write);
    let _ = std::io::copy(socket, &mut std::io::sink());
}
