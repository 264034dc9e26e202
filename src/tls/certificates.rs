//! The certificates of one PEM file.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::{Date, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The certificates of one file, in its order; at least one, and each can be parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates(Arc<[CertificateDer<'static>]>);

impl Certificates {
    /// The certificates in `file`.
    ///
    /// # Errors
    /// It holds none, or one that is broken. The message goes on after the file's name.
    pub fn from_pem(file: &[u8]) -> Result<Self, String> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(file).collect();
        let found = found.map_err(|_| {
            "holds a PEM block that is broken; copy the file again from where it was made"
                .to_owned()
        })?;
        if found.is_empty() {
            return Err(nothing_in(file));
        }
        if let Some(broken) = found.iter().position(|found| parse(found).is_none()) {
            return Err(format!(
                "holds a certificate that cannot be read, its {}; \
look at it with `openssl x509 -noout -text`",
                ordinal(broken)
            ));
        }
        Ok(Self(found.into()))
    }

    /// Each of them, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.0.iter()
    }

    /// When each of them is valid, in the order of the file.
    pub fn periods(&self) -> impl Iterator<Item = Period> {
        self.0.iter().filter_map(Period::of)
    }
}

/// Certificates that others are verified against; each can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities(Certificates);

impl Authorities {
    /// The authorities in `file`.
    ///
    /// # Errors
    /// It holds none, or one that nothing can be verified against. The message goes on after the file's name.
    pub fn from_pem(file: &[u8]) -> Result<Self, String> {
        let certificates = Certificates::from_pem(file)?;
        let mut store = RootCertStore::empty();
        for (index, certificate) in certificates.iter().enumerate() {
            if let Err(error) = store.add(certificate.clone()) {
                return Err(format!(
                    "holds a certificate that nothing can be verified against, its {}: {error}; take it out",
                    ordinal(index)
                ));
            }
        }
        Ok(Self(certificates))
    }

    /// The certificates of the authorities.
    pub fn certificates(&self) -> &Certificates {
        &self.0
    }
}

/// When a certificate is valid, in seconds since 1970; both ends belong to it (RFC 5280 §4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    not_before: i64,
    not_after: i64,
}

impl Period {
    fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = parse(certificate)?;
        let validity = certificate.validity();
        Some(Self {
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        })
    }

    /// What is wrong with it at `now`: `has expired on 2026-11-22`; `None` when nothing is.
    pub fn complaint(self, now: SystemTime) -> Option<String> {
        let now = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        if now > self.not_after {
            Some(format!("has expired on {}", Day(self.not_after)))
        } else if now < self.not_before {
            Some(format!("is not valid before {}", Day(self.not_before)))
        } else {
            None
        }
    }
}

/// The day, in UTC, of this second since 1970: `2026-11-22`.
pub struct Day(pub i64);

impl fmt::Display for Day {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match OffsetDateTime::from_unix_timestamp(self.0).map(OffsetDateTime::date) {
            Ok(date) => write!(out, "{date}"),
            Err(_) if self.0 < 0 => write!(out, "{}", Date::MIN),
            Err(_) => write!(out, "{}", Date::MAX),
        }
    }
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(parsed)
}

/// Why there is no certificate in a file.
fn nothing_in(file: &[u8]) -> String {
    // DER begins with a SEQUENCE.
    if file.first() == Some(&0x30) {
        "is not PEM but DER, it seems; convert it with `openssl x509 -inform der`".to_owned()
    } else {
        "holds no certificate; it must be PEM, with `-----BEGIN CERTIFICATE-----`".to_owned()
    }
}

/// `first`, `second`, or `certificate number 3`.
fn ordinal(index: usize) -> String {
    match index {
        0 => "first".to_owned(),
        1 => "second".to_owned(),
        index => format!("number {}", index + 1),
    }
}

#[cfg(test)]
mod tests;
