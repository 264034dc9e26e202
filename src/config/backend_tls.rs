//! `tls` of an upstream: how its backends prove who they are, and how we do.
//!
//! The certificates and keys are read together with the configuration: a file that is missing or does not fit is a fault
//! with a line, and what runs later never comes upon one. What has expired is only warned of, since a load balancer that
//! refuses to start because of a date helps nobody.

use super::backend_address::BackendAddress;
use super::diagnostic::Place;
use super::host::is_host_name;
use super::pem_file::PemFile;
use super::read::Word;
use super::reader::Reader;
use super::section::section;
use super::shorthand::Shorthand;
use super::spot::{Entry, Spot};
use crate::tls::{Authorities, Certificates, Identity, PrivateKey};
use rustls::pki_types;
use serde_json::json;
use std::net::IpAddr;
use std::time::SystemTime;

/// TLS towards the backends of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The name that is asked for and that the certificate must have; each backend's own as written, when absent.
    pub server_name: Option<String>,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// The certificate that backends are shown when they ask for one.
    pub identity: Option<Identity>,
}

/// Whose certificates are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Those of the authorities that the system trusts.
    System,
    /// Those of these authorities, and no others.
    These(Authorities),
    /// Anybody's: nothing is verified.
    Anybody,
}

section! {
    /// TLS towards the backends; `{}` is TLS with all keys at their defaults.
    pub(super) struct TlsEntry {
        /// The name that is asked for (SNI) and that the certificate must have; by default the backend's name or IP
        /// address as written in `backends`.
        pub(super) server_name: Spot<Option<ServerName>>,
        /// PEM file with the authorities whose certificates are believed; by default those that the system trusts.
        pub(super) ca: Entry<PemFile<Authorities>>,
        /// Whether the backend's certificate is verified; `false` believes whoever answers.
        pub(super) verify: bool = true,
        /// PEM file with the certificate to show to backends that ask for one, and those that lead to its authority.
        pub(super) client_cert: Entry<PemFile<Certificates>>,
        /// PEM file with the private key of that certificate.
        pub(super) client_key: Entry<PemFile<PrivateKey>>,
    }
}

impl TlsEntry {
    /// The settings, once its keys are seen to fit together.
    pub(super) fn build(self, reader: &mut Reader<'_>) -> Tls {
        if let (Some(place), false) = (self.ca.place(), self.verify) {
            reader.fault_at(
                place,
                "`verify: false` believes any certificate, so this has no effect; remove one of the two",
            );
        }
        let identity = identity(self.client_cert, self.client_key, reader);
        let server_name = self.server_name.value.map(|name| name.0);
        let tls = Tls {
            server_name,
            trust: match self.ca.value() {
                _ if !self.verify => Trust::Anybody,
                Some(file) => Trust::These(file.holds),
                None => Trust::System,
            },
            identity,
        };
        if let (Some(place), Some(name)) = (&self.server_name.place, &tls.server_name)
            && let Some(message) = tls.unusable(name)
        {
            reader.fault_at(place, message);
        }
        tls
    }
}

/// `example.com` of `_http._tcp.example.com`.
fn domain_of(service: &str) -> &str {
    let mut rest = service;
    while let Some((_, domain)) = rest
        .split_once('.')
        .filter(|(label, _)| label.starts_with('_'))
    {
        rest = domain;
    }
    rest
}

impl Tls {
    /// The name that is asked for at this backend, and that its certificate must have. An IP address stands for itself.
    pub fn name_of(&self, backend: &BackendAddress) -> String {
        match (&self.server_name, backend) {
            (Some(name), _) => name.clone(),
            (None, BackendAddress::Name { host, .. }) => host.clone(),
            (None, BackendAddress::Socket(address)) => address.ip().to_string(),
            // It is refused with the file.
            (None, BackendAddress::Unix(_)) => String::new(),
            // The domain that offers the service, and not the hosts that the DNS says (RFC 6125 §6.2.1).
            (None, BackendAddress::Service { name }) => domain_of(name).to_owned(),
        }
    }

    /// Why no backend of this address could be connected to; `None` when it could.
    pub(super) fn complaint(&self, backend: &BackendAddress) -> Option<String> {
        let written = self.server_name.is_none().then(|| self.name_of(backend))?;
        if let BackendAddress::Unix(_) = backend {
            return Some(
                "a Unix socket has no name that a certificate could be asked for; write `server_name` in `tls`".to_owned(),
            );
        }
        self.unusable(&written)
    }

    /// Why TLS cannot be asked for `name`.
    fn unusable(&self, name: &str) -> Option<String> {
        if pki_types::ServerName::try_from(name).is_err() {
            return Some(format!(
                "{name:?} cannot be the name in a certificate; \
write `server_name` in `tls`, with the name that is in it"
            ));
        }
        // Pingora would ask for the name with hyphens in the place of these underscores.
        let (first, rest) = name.split_once('.')?;
        let is_changed = first.contains('_') && rest.contains('.');
        (is_changed && self.trust != Trust::Anybody).then(|| {
            format!(
                "{name:?} cannot be asked for over TLS, as its first label has an underscore; \
write `server_name` in `tls`, with another name that is in the certificate, such as `{}.{rest}` for `*.{rest}`",
                first.replace('_', "-")
            )
        })
    }

    /// What is no fault, and yet should be known, as of `now`. `path` is the way to this section.
    pub(super) fn warnings(&self, path: &str, now: SystemTime) -> Vec<String> {
        let mut warnings = Vec::new();
        match &self.trust {
            Trust::System => {}
            Trust::These(authorities) => {
                let expired = outdated(authorities.certificates(), now).map(|complaint| {
                    format!("{path}.ca: {complaint}; it is still believed here, but other programs will refuse it")
                });
                warnings.extend(expired);
            }
            Trust::Anybody => warnings.push(format!(
                "{path}.verify: false: no certificate is verified, so whoever answers at a backend's address is believed \
and can read and change all requests; name the authority in `ca` instead"
            )),
        }
        if let Some(identity) = &self.identity {
            let expired = outdated(&identity.certificates, now).map(|complaint| {
                format!("{path}.client_cert: {complaint}; backends that ask for it will refuse it")
            });
            warnings.extend(expired);
        }
        warnings
    }
}

/// What is to be said of the dates in one file.
pub(super) fn outdated(certificates: &Certificates, now: SystemTime) -> Option<String> {
    let periods: Vec<_> = certificates.periods().collect();
    let complaints: Vec<_> = periods
        .iter()
        .filter_map(|period| period.complaint(now))
        .collect();
    let first = complaints.first()?;
    Some(if periods.len() == 1 {
        format!("the certificate {first}")
    } else {
        let (some, all) = (complaints.len(), periods.len());
        format!("{some} of the {all} certificates are out of date; the first of these {first}")
    })
}

fn identity(
    certificate: Entry<PemFile<Certificates>>,
    key: Entry<PemFile<PrivateKey>>,
    reader: &mut Reader<'_>,
) -> Option<Identity> {
    let alone = |reader: &mut Reader<'_>, place: &Place, has: &str, lacks: &str| {
        reader.fault_at(
            place,
            format!("`{has}` is of no use without `{lacks}`; add `{lacks}`, or remove this"),
        );
    };
    match (certificate.place(), key.place()) {
        (Some(place), None) => alone(reader, place, "client_cert", "client_key"),
        (None, Some(place)) => alone(reader, place, "client_key", "client_cert"),
        _ => {}
    }
    let place = key.place().cloned()?;
    let (certificates, key) = (certificate.value()?, key.value()?);
    Identity::new(certificates.holds, key.holds)
        .map_err(|message| reader.fault_at(&place, format!("{:?} {message}", key.path)))
        .ok()
}

impl Shorthand for Option<Spot<TlsEntry>> {
    const EXAMPLE: &'static str = "{}";

    fn from_word(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(None),
            _ => Err(format!(
                "{text:?} is not understood here; write `{{}}` for TLS with all keys at their defaults, or `off`"
            )),
        }
    }

    fn word_schema() -> serde_json::Value {
        json!({"const": "off"})
    }
}

/// A name that a certificate can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerName(String);

impl Word for ServerName {
    const EXAMPLE: &'static str = "app.internal";

    fn parse(text: &str) -> Result<Self, String> {
        if is_host_name(text) || text.parse::<IpAddr>().is_ok() {
            return Ok(ServerName(text.to_owned()));
        }
        Err(format!(
            "{text:?} is no name of a server; write a host name or an IP address, without port, such as `{}`",
            Self::EXAMPLE
        ))
    }
}
