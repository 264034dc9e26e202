//! From an address to how Pingora connects to it.
//!
//! Pingora's own defaults have no timeout at all; here each is set from the upstream's configuration. The template is made once for each
//! backend: a request only copies it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use pingora_core::protocols::ALPN;
use pingora_core::protocols::tls::CaType;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::utils::tls::{CertKey, WrappedX509, parse_x509};

use super::address::Address;
use super::dial;
use crate::config::{self, BackendAddress, BackendProtocol, Trust};
use crate::semantics::proxy_protocol::{Behalf, write};
use crate::tls::{Authorities, Certificates, Identity};

/// The one authority where nothing is verified: Pingora makes no verifier without any, also for one that does not verify, and a small
/// container has none of its own. Its key was thrown away, and it is never asked.
const NOBODY: &[u8] = include_bytes!("nobody.pem");

/// What a backend may send of an answer over HTTP/2 before the client has read it, in bytes.
const STREAM_WINDOW: u32 = 256 * 1024;

/// How the backends of one upstream are connected to.
pub(super) struct Peers {
    group: u64,
    tls: Option<Tls>,
}

/// What all peers of an upstream share, in Pingora's form.
struct Tls {
    authorities: Option<Arc<CaType>>,
    identity: Option<Arc<CertKey>>,
}

impl Peers {
    pub(super) fn new(upstream: &config::Upstream) -> Self {
        Self {
            group: group(upstream),
            tls: upstream.tls.as_ref().map(Tls::new),
        }
    }

    /// The way to `address` under the settings of `upstream`; `written` is what the operator called it.
    pub(super) fn template(
        &self,
        upstream: &config::Upstream,
        address: &Address,
        written: &BackendAddress,
    ) -> HttpPeer {
        let name = upstream.tls.as_ref().map(|tls| tls.name_of(written));
        let mut peer = dial::peer(address, name.is_some(), name.unwrap_or_default());
        // For whoever asks on nobody's behalf; requests have headers of their own.
        let header = upstream
            .proxy_protocol
            .map(|version| write(version, &Behalf::Own));
        dial::direct(&mut peer, address, self.group, header.unwrap_or_default());
        let options = &mut peer.options;
        // The second one is for TCP and TLS together.
        options.connection_timeout = Some(upstream.timeouts.connect);
        options.total_connection_timeout = Some(upstream.timeouts.connect);
        options.write_timeout = Some(upstream.timeouts.write);
        // What a client nominates in `Connection` is taken out by our own rules: Pingora would refuse some of these requests.
        options
            .http_upstream_request_policy
            .strip_connection_nominated = false;
        options.idle_timeout = Some(upstream.connections.idle);
        let streams = upstream.connections.http2_streams;
        options.max_h2_streams = streams;
        // All requests of a connection together may have what each of them may: a client that reads slowly holds up no other.
        options.h2_stream_window_size = Some(STREAM_WINDOW);
        let together = u32::try_from(streams)
            .unwrap_or(u32::MAX)
            .saturating_mul(STREAM_WINDOW);
        options.h2_connection_window_size = Some(together.min(i32::MAX as u32));
        options.alpn = match upstream.protocol {
            BackendProtocol::Http1 => ALPN::H1,
            BackendProtocol::Http2 => ALPN::H2,
            BackendProtocol::Auto => ALPN::H2H1,
        };
        if let (Some(shared), Some(tls)) = (&self.tls, &upstream.tls) {
            options.verify_cert = tls.trust != Trust::Anybody;
            options.ca.clone_from(&shared.authorities);
            peer.client_cert_key.clone_from(&shared.identity);
        }
        peer
    }
}

impl Tls {
    fn new(tls: &config::Tls) -> Self {
        Self {
            authorities: match &tls.trust {
                Trust::System => None,
                Trust::These(authorities) => Some(in_pingoras_form(authorities.certificates())),
                Trust::Anybody => Authorities::from_pem(NOBODY)
                    .ok()
                    .map(|nobody| in_pingoras_form(nobody.certificates())),
            },
            identity: tls.identity.as_ref().map(|identity| {
                let certificates = identity.certificates.iter();
                let certificates = certificates.map(|certificate| certificate.to_vec());
                let key = identity.key.secret_der().to_vec();
                Arc::new(CertKey::new(certificates.collect(), key))
            }),
        }
    }
}

/// It panics on what is no certificate; these are.
fn in_pingoras_form(certificates: &Certificates) -> Arc<CaType> {
    certificates
        .iter()
        .map(|certificate| WrappedX509::new(certificate.to_vec(), parse_x509))
        .collect()
}

/// Connections are shared by all requests to one upstream, and by no other upstream; nor by the same one with other settings of TLS, whose
/// certificates, authorities and protocols Pingora does not look at when it takes a connection from its pool.
fn group(upstream: &config::Upstream) -> u64 {
    let mut hasher = DefaultHasher::new();
    upstream.name.hash(&mut hasher);
    upstream.protocol.hash(&mut hasher);
    let Some(tls) = &upstream.tls else {
        return hasher.finish();
    };
    let hash = |certificates: &Certificates, hasher: &mut DefaultHasher| {
        certificates
            .iter()
            .for_each(|certificate| certificate.hash(hasher));
    };
    match &tls.trust {
        Trust::System => "system".hash(&mut hasher),
        Trust::These(authorities) => hash(authorities.certificates(), &mut hasher),
        Trust::Anybody => "anybody".hash(&mut hasher),
    }
    if let Some(Identity { certificates, key }) = &tls.identity {
        hash(certificates, &mut hasher);
        key.secret_der().hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests;
