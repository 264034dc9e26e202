//! From an address to how Pingora connects to it.
//!
//! The template is made once for each backend: a new connection only copies it. Time limits are kept by whoever connects.

use std::sync::Arc;

use pingora_core::protocols::ALPN;
use pingora_core::protocols::tls::CaType;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::utils::tls::{CertKey, WrappedX509, parse_x509};

use super::address::Address;
use super::dial;
use crate::config::{self, BackendAddress, BackendProtocol, Trust};
use crate::semantics::proxy_protocol::{Behalf, write};
use crate::tls::{Authorities, Certificates};

/// The one authority where nothing is verified: Pingora makes no verifier without any, also for one that does not verify, and a small
/// container has none of its own. Its key was thrown away, and it is never asked.
const NOBODY: &[u8] = include_bytes!("nobody.pem");

/// How the backends of one upstream are connected to.
pub(super) struct Peers {
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
        dial::direct(&mut peer, address, header.unwrap_or_default());
        let options = &mut peer.options;
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

#[cfg(test)]
mod tests;
