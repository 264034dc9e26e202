//! The authorities that the system trusts, looked at before the engine reads them.
//!
//! Pingora reads them once for each of its connectors, and panics when it cannot. Here the same is done first, by the
//! same code, so that what is wrong is said in words and ends the process in order. An operator whose container has no
//! authorities at all learns it at the start, and not from the first request.

use pingora_core::tls::{RootCertStore, load_platform_certs_incl_env_into_store};

use super::Failed;
use crate::config::{Config, Trust, Upstream};

/// Whom the engine believes for as long as the process lives: it reads them at the start, and no reload reads them again.
pub(super) struct Authorities {
    is_none: bool,
}

impl Authorities {
    /// Looks whether they can be read, and whether there are any.
    pub(super) fn read() -> Result<Self, Failed> {
        let mut store = RootCertStore::empty();
        load_platform_certs_incl_env_into_store(&mut store).map_err(|error| {
            let cause = error.cause.as_ref().map(ToString::to_string);
            Failed(format!(
                "the authorities that this system trusts cannot be read: {}; \
see to their files, and to SSL_CERT_FILE and SSL_CERT_DIR where these are set",
                cause.unwrap_or_else(|| error.to_string())
            ))
        })?;
        Ok(Self {
            is_none: store.is_empty(),
        })
    }

    /// Warns of each upstream that needs them where there are none.
    pub(super) fn warn_whoever_needs_them(&self, config: &Config) {
        let needs = |upstream: &&Upstream| {
            let tls = upstream.tls.as_ref();
            self.is_none && tls.is_some_and(|tls| tls.trust == Trust::System)
        };
        for upstream in config.upstreams.iter().filter(needs) {
            log::warn!(
                "upstreams.{}.tls: this system trusts no authority, so no backend of this upstream will be believed; \
install the package ca-certificates and start again, or name an authority in `ca`",
                upstream.name
            );
        }
    }
}
