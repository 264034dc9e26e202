//! A client that speaks TLS, and tells what the handshake came to.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore, StreamOwned,
    SupportedProtocolVersion, version,
};

use super::client::{Client, open};
use super::tls::{Authority, Certificate};

/// What a client says of itself. Two connections of one client know each other.
pub(crate) struct TlsClient {
    config: Arc<ClientConfig>,
}

/// What a client may be asked to do otherwise.
pub(crate) struct Habits<'a> {
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    pub(crate) protocols: Vec<&'static str>,
    pub(crate) certificate: Option<&'a Certificate>,
    pub(crate) groups: Option<Vec<&'static dyn SupportedKxGroup>>,
    /// It can verify RSA signatures and no others.
    pub(crate) knows_rsa_only: bool,
}

/// What the two have agreed on.
#[derive(Debug)]
pub(crate) struct Greeting {
    /// The server's own certificate.
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) version: ProtocolVersion,
    pub(crate) protocol: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) is_resumed: bool,
}

impl TlsClient {
    /// One that trusts this authority.
    pub(crate) fn new(trusted: &Authority) -> Self {
        Self::with(trusted, |_| {})
    }

    pub(crate) fn with<'a>(trusted: &Authority, change: impl FnOnce(&mut Habits<'a>)) -> Self {
        let mut habits = Habits {
            versions: vec![&version::TLS13, &version::TLS12],
            protocols: Vec::new(),
            certificate: None,
            groups: None,
            knows_rsa_only: false,
        };
        change(&mut habits);
        let mut provider: CryptoProvider = default_provider();
        if let Some(groups) = habits.groups {
            provider.kx_groups = groups;
        }
        if habits.knows_rsa_only {
            let mapping = provider.signature_verification_algorithms.mapping.iter();
            let rsa = mapping.filter(|(scheme, _)| format!("{scheme:?}").starts_with("RSA"));
            provider.signature_verification_algorithms.mapping = Vec::leak(rsa.copied().collect());
        }
        let mut roots = RootCertStore::empty();
        roots.add(trusted.der()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&habits.versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match habits.certificate {
            None => builder.with_no_client_auth(),
            Some(certificate) => {
                let key = PrivateKeyDer::try_from(certificate.key_der()).unwrap();
                let chain = vec![certificate.der().clone()];
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let protocols = habits.protocols.into_iter();
        config.alpn_protocols = protocols.map(|name| name.as_bytes().to_vec()).collect();
        Self {
            config: Arc::new(config),
        }
    }

    pub(crate) fn connect(&self, address: SocketAddr, name: &str) -> (Client, Greeting) {
        self.try_connect(address, name).unwrap()
    }

    /// A connection whose handshake is done, and on which something was read or was waited for: with TLS 1.3 a client that the server
    /// turns away learns it only then.
    pub(crate) fn try_connect(
        &self,
        address: SocketAddr,
        name: &str,
    ) -> io::Result<(Client, Greeting)> {
        self.greet(open(address)?, name)
    }

    /// The same over a connection on which these bytes are sent before anything else, one at a time.
    pub(crate) fn connect_after(&self, bytes: &[u8], address: SocketAddr, name: &str) -> Client {
        let mut socket = open(address).unwrap();
        for byte in bytes {
            socket.write_all(&[*byte]).unwrap();
        }
        self.greet(socket, name).unwrap().0
    }

    fn greet(&self, mut socket: TcpStream, name: &str) -> io::Result<(Client, Greeting)> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let config = Arc::clone(&self.config);
        let mut session = ClientConnection::new(config, name).map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        let certificates = session.peer_certificates().unwrap_or_default();
        let greeting = Greeting {
            certificate: certificates[0].clone(),
            version: session.protocol_version().unwrap(),
            protocol: session
                .alpn_protocol()
                .map(|name| String::from_utf8_lossy(name).into()),
            group: session
                .negotiated_key_exchange_group()
                .map(|group| format!("{:?}", group.name())),
            is_resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
        };
        let below = socket.try_clone()?;
        Ok((
            Client::over(StreamOwned::new(session, socket), below),
            greeting,
        ))
    }
}
