//! Keys that name a PEM file. It is read together with the configuration, so that what is wrong with it is a fault of
//! the configuration, with the line that names it.

use super::read::{Read, Word};
use super::reader::Reader;
use super::tree::Tree;
use crate::tls::{Authorities, Certificates, PrivateKey};
use std::path::PathBuf;

/// A PEM file, and what it holds.
#[derive(Clone, Debug)]
pub(super) struct PemFile<T> {
    pub(super) path: PathBuf,
    /// The same, from the folder of the process.
    pub(super) located: PathBuf,
    pub(super) holds: T,
}

/// What a PEM file can hold.
pub(super) trait Pem: Sized {
    /// An example of a file, for messages.
    const EXAMPLE: &'static str;

    /// Reads it, or says what is wrong; the message goes on after the file's name.
    fn from_pem(file: &[u8]) -> Result<Self, String>;
}

impl<T: Pem> Read for PemFile<T> {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let path = PathBuf::read(tree, reader)?;
        let file = reader.file(tree, &path)?;
        match T::from_pem(&file) {
            Ok(holds) => Some(PemFile {
                located: reader.located(&path),
                path,
                holds,
            }),
            Err(message) => {
                reader.fault(tree, format!("{path:?} {message}"));
                None
            }
        }
    }

    fn schema() -> serde_json::Value {
        <PathBuf as Word>::schema()
    }

    fn example() -> String {
        T::EXAMPLE.to_owned()
    }
}

impl Pem for Authorities {
    const EXAMPLE: &'static str = "ca.pem";

    fn from_pem(file: &[u8]) -> Result<Self, String> {
        Authorities::from_pem(file)
    }
}

impl Pem for Certificates {
    const EXAMPLE: &'static str = "client.pem";

    fn from_pem(file: &[u8]) -> Result<Self, String> {
        Certificates::from_pem(file)
    }
}

impl Pem for PrivateKey {
    const EXAMPLE: &'static str = "client.key";

    fn from_pem(file: &[u8]) -> Result<Self, String> {
        PrivateKey::from_pem(file)
    }
}
