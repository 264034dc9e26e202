//! Certificates and private keys, from the PEM files that operators have (RFC 7468).
//!
//! Everything here takes bytes and gives something that TLS can be done with, or says what is wrong and what to do. It
//! is asked when the configuration is read, because the engine would find out later and less gently: Pingora panics on
//! a certificate that cannot be parsed and on a key whose format it does not know. So what passes here has gone through
//! the same parsers. No file is opened here, and no clock is read.
//!
//! - `certificates`: the certificates of one file, those that others are verified against, and their dates
//! - `identity`: a certificate with the key that fits it
//! - `chooser`: which of several certificates a client is shown
//! - `subject`: the names in certificates

mod certificates;
mod chooser;
mod identity;
mod subject;

pub use certificates::{Authorities, Certificates, Day, Period};
pub use chooser::Chooser;
pub use identity::{Identity, PrivateKey};
pub use subject::distinguished_name;
