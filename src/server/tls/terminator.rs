//! From the configuration to rustls's.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider, kx_group};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ProducesTickets, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{Error, ServerConfig, version};
use tokio_rustls::TlsAcceptor;

use super::{TlsStream, unwilling};
use crate::config::{ClientAuth, ClientAuthorities, ListenerTls, Protocols, TlsVersion};
use crate::server::socket::ClientSocket;
use crate::tls::Chooser;

/// So many sessions of TLS 1.2 clients without tickets are kept.
const SESSIONS: usize = 4_096;

/// HTTP/2, as the handshake calls it.
pub(super) const HTTP2: &[u8] = b"h2";

/// The TLS of one listener.
#[derive(Debug)]
pub(crate) struct Terminator {
    current: ArcSwap<Shown>,
    protocols: Protocols,
}

/// The certificates of one moment, and all that a handshake needs.
#[derive(Debug)]
pub(crate) struct Shown {
    written: ListenerTls,
    chooser: Arc<Chooser>,
    tickets: Arc<dyn ProducesTickets>,
    acceptor: Arc<ServerConfig>,
}

impl Terminator {
    /// TLS as `tls` has it, for clients that speak `protocols` over it.
    ///
    /// # Errors
    /// rustls refuses something that the configuration's checks have not seen.
    pub(crate) fn new(tls: ListenerTls, protocols: Protocols) -> Result<Self, Error> {
        let current = Shown::new(tls, Ticketer::new()?, protocols)?;
        Ok(Self {
            current: ArcSwap::from_pointee(current),
            protocols,
        })
    }

    /// As it is written, with the certificates that are shown now.
    pub(super) fn written(&self) -> ListenerTls {
        self.current.load().written.clone()
    }

    /// What would be shown with these certificates. Sessions go on, unless other clients are let in than before: one that was let in by the
    /// former rule must not come back by its ticket.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn prepare(&self, tls: ListenerTls) -> Result<Shown, Error> {
        let current = self.current.load();
        let tickets = if current.written.clients == tls.clients {
            Arc::clone(&current.tickets)
        } else {
            Ticketer::new()?
        };
        Shown::new(tls, tickets, self.protocols)
    }

    /// Shows these from the next handshake on.
    pub(crate) fn show(&self, next: Shown) {
        self.current.store(Arc::new(next));
    }

    /// Makes a TLS connection of one that was just accepted, and tells which certificates there were.
    ///
    /// # Errors
    /// The client does not want to, or may not.
    pub(crate) async fn accept(
        &self,
        client: ClientSocket,
    ) -> Result<(TlsStream, Arc<Chooser>), NoTls> {
        let (acceptor, chooser) = {
            let current = self.current.load();
            (Arc::clone(&current.acceptor), Arc::clone(&current.chooser))
        };
        if unwilling::speaks_http(&client).await? {
            return Err(NoTls::InTheClear(client));
        }
        let stream = TlsAcceptor::from(acceptor).accept(client).await?;
        Ok((stream, chooser))
    }
}

/// Why TLS did not come about.
#[derive(Debug)]
pub(crate) enum NoTls {
    /// The handshake failed.
    Failed(io::Error),
    /// The client speaks HTTP in the clear, and nothing of that was read.
    InTheClear(ClientSocket),
}

impl From<io::Error> for NoTls {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl Shown {
    fn new(
        tls: ListenerTls,
        tickets: Arc<dyn ProducesTickets>,
        protocols: Protocols,
    ) -> Result<Self, Error> {
        let identities = || {
            tls.certificates
                .iter()
                .map(|certificate| &certificate.identity)
        };
        let chooser = Arc::new(Chooser::new(identities()));
        let certified = identities().map(|identity| identity.certified().map(Arc::new));
        let certificates = Certificates {
            chooser: Arc::clone(&chooser),
            certified: certified.collect::<Result<_, _>>()?,
        };
        let versions: &[_] = match tls.min_version {
            TlsVersion::V1_2 => &[&version::TLS12, &version::TLS13],
            TlsVersion::V1_3 => &[&version::TLS13],
        };
        let provider = Arc::new(provider());
        let verifier = verifier(tls.clients.as_ref(), &provider)?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(certificates));
        config.ticketer = Arc::clone(&tickets);
        config.session_storage = rustls::server::ServerSessionMemoryCache::new(SESSIONS);
        config.alpn_protocols = names(protocols);
        Ok(Self {
            written: tls,
            chooser,
            tickets,
            acceptor: Arc::new(config),
        })
    }
}

/// What is offered in the handshake, best first (RFC 7301).
fn names(protocols: Protocols) -> Vec<Vec<u8>> {
    let all = [
        (protocols.http2, HTTP2),
        (protocols.http1, b"http/1.1"),
        // What `curl --http1.0` asks for. On HTTP/1 it is the request that says its version, whatever the handshake came to.
        (protocols.http1, b"http/1.0"),
    ];
    let offered = all.into_iter().filter(|(is_spoken, _)| *is_spoken);
    offered.map(|(_, name)| name.to_vec()).collect()
}

/// Key exchange that a quantum computer does not undo comes first, for clients that offer it (draft-ietf-tls-ecdhe-mlkem).
fn provider() -> CryptoProvider {
    CryptoProvider {
        kx_groups: vec![
            kx_group::X25519MLKEM768,
            kx_group::X25519,
            kx_group::SECP256R1,
            kx_group::SECP384R1,
        ],
        ..default_provider()
    }
}

fn verifier(
    clients: Option<&ClientAuthorities>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let Some(clients) = clients else {
        return Ok(WebPkiClientVerifier::no_client_auth());
    };
    let mut roots = RootCertStore::empty();
    for authority in clients.authorities.certificates().iter() {
        roots.add(authority.clone())?;
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = match clients.auth {
        ClientAuth::Required => builder,
        ClientAuth::Optional => builder.allow_unauthenticated(),
    };
    builder
        .build()
        .map_err(|error| Error::General(error.to_string()))
}

/// Certificates, ready to be shown.
#[derive(Debug)]
struct Certificates {
    chooser: Arc<Chooser>,
    certified: Vec<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let candidates = self.chooser.candidates(client.server_name());
        let certified = || {
            candidates
                .iter()
                .filter_map(|index| self.certified.get(*index))
        };
        let schemes = client.signature_schemes();
        let usable = certified().find(|certified| certified.key.choose_scheme(schemes).is_some());
        // Without one, rustls tells the client that the two have nothing in common.
        usable.or_else(|| certified().next()).cloned()
    }
}
