//! Who one side of a connection is: a certificate, and the private key that proves it.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;
use rustls::{Error, SignatureAlgorithm};

use super::{Certificates, subject};

/// A private key that signatures can be made with.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey(Arc<PrivateKeyDer<'static>>);

impl PrivateKey {
    /// The first private key in `file`.
    ///
    /// # Errors
    /// It holds none, or one that cannot be used. The message goes on after the file's name.
    pub fn from_pem(file: &[u8]) -> Result<Self, String> {
        if is_encrypted(file) {
            return Err(
                "holds a private key that is encrypted, and nobody is asked for its passphrase; \
write it without one: `openssl pkey -in FILE -out FILE`"
                    .to_owned(),
            );
        }
        let Some(key) = PrivateKeyDer::pem_slice_iter(file).next() else {
            return Err(
                "holds no private key; it must be PEM, with `-----BEGIN PRIVATE KEY-----`"
                    .to_owned(),
            );
        };
        // Pingora keeps the bytes only, and finds out the format again: what is checked here is what it will find.
        key.ok()
            .and_then(|key| PrivateKeyDer::try_from(key.secret_der().to_vec()).ok())
            .filter(|key| default_provider().key_provider.load_private_key(key.clone_key()).is_ok())
            .map(|key| Self(Arc::new(key)))
            .ok_or_else(|| {
                "holds a private key that cannot be used; RSA from 2048 bits on, ECDSA (P-256, P-384, P-521) and Ed25519 can"
                    .to_owned()
            })
    }

    /// Whether signatures with it are RSA's.
    pub fn is_rsa(&self) -> bool {
        let key = default_provider()
            .key_provider
            .load_private_key(self.0.clone_key());
        key.is_ok_and(|key| key.algorithm() == SignatureAlgorithm::RSA)
    }

    /// The key itself, in DER.
    pub fn secret_der(&self) -> &[u8] {
        self.0.secret_der()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PrivateKey(…)")
    }
}

/// A certificate, those that lead from it to its authority, and its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its own certificate first.
    pub certificates: Certificates,
    /// The key of the first certificate.
    pub key: PrivateKey,
}

impl Identity {
    /// Puts the two together.
    ///
    /// # Errors
    /// The key is not that of the first certificate. The message goes on after the name of the key's file.
    pub fn new(certificates: Certificates, key: PrivateKey) -> Result<Self, String> {
        let identity = Self { certificates, key };
        match identity.certified() {
            Ok(_) => Ok(identity),
            Err(Error::InconsistentKeys(_)) => {
                Err("holds another key than that of the first certificate; \
a certificate's own file has it first, and those of its authorities behind"
                    .to_owned())
            }
            Err(error) => Err(format!("cannot be used with the certificate: {error}")),
        }
    }

    /// The host names that the certificate is for, in lower case; `*.example.com` among them.
    pub fn names(&self) -> Vec<String> {
        let own = self.certificates.iter().next();
        own.map(subject::names).unwrap_or_default()
    }

    /// In the form in which rustls shows it to clients.
    ///
    /// # Errors
    /// None in practice: the same was done when the two were put together.
    pub fn certified(&self) -> Result<CertifiedKey, Error> {
        let chain = self.certificates.iter().cloned().collect();
        CertifiedKey::from_der(chain, self.key.0.clone_key(), &default_provider())
    }
}

/// Whether the file's key needs a passphrase, in either of the two forms (RFC 7468 §11, and OpenSSL's older one).
fn is_encrypted(file: &[u8]) -> bool {
    let has = |mark: &[u8]| memchr::memmem::find(file, mark).is_some();
    has(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(b"Proc-Type: 4,ENCRYPTED")
}

#[cfg(test)]
mod tests;
