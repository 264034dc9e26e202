//! `tls` of a listener: who we are to clients, and who they must be.
//!
//! As with backends, certificates and keys are read together with the configuration. They are read again while running, when the files
//! change, and so the paths stay.

use super::backend_tls::outdated;
use super::collection::AtLeastOne;
use super::pem_file::PemFile;
use super::read::{Show, Word};
use super::reader::Reader;
use super::schema;
use super::section::section;
use super::spot::{Entry, Spot};
use super::word::{show_word, word_of};
use crate::tls::{Authorities, Certificates, Identity, PrivateKey};
use std::path::PathBuf;
use std::time::SystemTime;

/// TLS towards clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// Whom clients are shown, in file order; the first is for whoever asks for none of them.
    pub certificates: Vec<ServerCertificate>,
    /// No older version is spoken.
    pub min_version: TlsVersion,
    /// Which clients are let in; without it nobody is asked for a certificate.
    pub clients: Option<ClientAuthorities>,
}

/// A certificate for clients to see, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerCertificate {
    /// The certificate, and its key.
    pub identity: Identity,
    /// The file of the certificate.
    pub cert: PathBuf,
    /// The file of the key.
    pub key: PathBuf,
}

/// Whose client certificates are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuthorities {
    /// The authorities.
    pub authorities: Authorities,
    /// The file of the authorities.
    pub file: PathBuf,
    /// Whether clients without a certificate are turned away.
    pub auth: ClientAuth,
}

/// Versions of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2 and 1.3.
    V1_2,
    /// TLS 1.3 alone.
    V1_3,
}

/// Whether clients must have a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// There is no connection without one.
    Required,
    /// They may; one that is not believed is worse than none.
    Optional,
}

const VERSIONS: &[(&str, TlsVersion)] = &[("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)];
const AUTHS: &[(&str, ClientAuth)] = &[
    ("required", ClientAuth::Required),
    ("optional", ClientAuth::Optional),
];

section! {
    /// TLS towards clients.
    pub(super) struct ListenerTlsEntry {
        /// The certificates, of which a client is shown the one with the name that it asks for; the first for any other.
        pub(super) certificates: AtLeastOne<Spot<CertificateEntry>>,
        /// The oldest version that is spoken: `1.2` or `1.3`.
        pub(super) min_version: TlsVersion = TlsVersion::V1_2,
        /// PEM file with the authorities whose client certificates are believed; without it no client is asked for one.
        pub(super) client_ca: Entry<PemFile<Authorities>>,
        /// Whether a client must have a certificate (`required`) or may (`optional`); `required` where there is a `client_ca`.
        pub(super) client_auth: Spot<ClientAuth> = Spot::default_value(ClientAuth::Required),
    }
}

section! {
    /// A certificate and its private key. Both files are read again when they change.
    pub(super) struct CertificateEntry {
        /// PEM file with the certificate, and behind it those that lead to its authority.
        pub(super) cert: Spot<PemFile<Certificates>>,
        /// PEM file with the private key of the certificate.
        pub(super) key: Spot<PemFile<PrivateKey>>,
    }
}

impl ListenerTlsEntry {
    /// The settings, once its keys are seen to fit together; `None` when a certificate is missing.
    pub(super) fn build(self, reader: &mut Reader<'_>) -> Option<ListenerTls> {
        let entries = self.certificates.0.into_iter();
        let certificates: Vec<_> = entries.map(|entry| entry.value.build(reader)).collect();
        if let (Some(place), None) = (&self.client_auth.place, self.client_ca.place()) {
            reader.fault_at(
                place,
                "nobody is asked for a certificate without `client_ca`; add `client_ca`, or remove this",
            );
        }
        let auth = self.client_auth.value;
        let clients = self.client_ca.value().map(|file| ClientAuthorities {
            authorities: file.holds,
            file: file.located,
            auth,
        });
        Some(ListenerTls {
            certificates: certificates.into_iter().collect::<Option<_>>()?,
            min_version: self.min_version,
            clients,
        })
    }
}

impl CertificateEntry {
    fn build(self, reader: &mut Reader<'_>) -> Option<ServerCertificate> {
        let (cert, key) = (self.cert.value, self.key.value);
        match Identity::new(cert.holds, key.holds) {
            Ok(identity) => Some(ServerCertificate {
                identity,
                cert: cert.located,
                key: key.located,
            }),
            Err(message) => {
                reader.fault_at(&self.key.place?, format!("{:?} {message}", key.path));
                None
            }
        }
    }
}

impl ListenerTls {
    /// What is no fault, and yet should be known, as of `now`. `path` is the way to this section.
    pub(super) fn warnings(&self, path: &str, now: SystemTime) -> Vec<String> {
        let mut warnings = Vec::new();
        for (index, certificate) in self.certificates.iter().enumerate() {
            let path = format!("{path}.certificates[{index}].cert");
            if let Some(complaint) = outdated(&certificate.identity.certificates, now) {
                warnings.push(format!("{path}: {complaint}; clients will refuse it"));
            }
            if certificate.identity.names().is_empty() {
                warnings.push(format!(
                    "{path}: the certificate has no host name (subject alternative name); clients that verify it will refuse it"
                ));
            }
        }
        if let Some(clients) = &self.clients
            && let Some(complaint) = outdated(clients.authorities.certificates(), now)
        {
            warnings.push(format!(
                "{path}.client_ca: {complaint}; it is still believed here"
            ));
        }
        warnings
    }
}

impl Word for TlsVersion {
    const EXAMPLE: &'static str = "1.2";

    fn parse(text: &str) -> Result<Self, String> {
        word_of(text, VERSIONS)
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"anyOf": [{"enum": ["1.2", "1.3", 1.2, 1.3]}, {"type": "string", "pattern": "\\$\\{"}]})
    }
}

impl Show for TlsVersion {
    fn show(&self) -> serde_json::Value {
        show_word(self, VERSIONS)
    }
}

impl Word for ClientAuth {
    const EXAMPLE: &'static str = "required";

    fn parse(text: &str) -> Result<Self, String> {
        word_of(text, AUTHS)
    }

    fn schema() -> serde_json::Value {
        schema::one_of(AUTHS)
    }
}

impl Show for ClientAuth {
    fn show(&self) -> serde_json::Value {
        show_word(self, AUTHS)
    }
}
