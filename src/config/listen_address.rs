//! `address` and `mode` of a listener: where clients connect, and who may where that is a file.

use super::backend_address::{LONGEST_PATH, socket_path};
use super::listener::advice;
use super::read::Word;
use super::reader::Reader;
use super::schema;
use super::trusted_proxy::UNIX;
use serde_json::json;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// On an IP address and port.
    Socket(SocketAddr),
    /// On a Unix socket, by its path.
    Unix(PathBuf),
}

impl ListenAddress {
    /// The port, if it has one.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Socket(address) => Some(address.port()),
            Self::Unix(_) => None,
        }
    }

    /// The same, with a path that holds from the folder of the process.
    pub(super) fn located(&self, reader: &Reader<'_>) -> Self {
        match self {
            Self::Unix(path) => Self::Unix(reader.located(path)),
            Self::Socket(_) => self.clone(),
        }
    }

    /// What is wrong with its path, where it is one.
    pub(super) fn complaint(&self) -> Option<String> {
        let Self::Unix(path) = self else {
            return None;
        };
        let length = path.as_os_str().len();
        (length > LONGEST_PATH).then(|| {
            format!(
                "{:?} has {length} bytes, and the path of a Unix socket may have {LONGEST_PATH}; choose a folder with a shorter name",
                path.display().to_string()
            )
        })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => write!(out, "{address}"),
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

/// The same, and how it was written.
#[derive(Clone, Debug)]
pub(super) struct WrittenListenAddress {
    pub(super) address: ListenAddress,
    pub(super) written: String,
}

impl Word for WrittenListenAddress {
    const EXAMPLE: &'static str = "0.0.0.0:8080";

    fn parse(text: &str) -> Result<Self, String> {
        let address = match text.strip_prefix(UNIX) {
            Some(path) => {
                let path = socket_path(path)
                    .map_err(|advice| format!("{text:?} is no address to listen on; {advice}"))?;
                ListenAddress::Unix(path.to_owned())
            }
            None => {
                let address = text.parse();
                ListenAddress::Socket(
                    address.map_err(|_| {
                        format!("{text:?} is no IP address and port; {}", advice(text))
                    })?,
                )
            }
        };
        let written = text.to_owned();
        Ok(Self { address, written })
    }

    fn schema() -> serde_json::Value {
        schema::text_like("^(unix:.+|.+:[0-9]+)$")
    }
}

/// Who may connect to a Unix socket: the permissions of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(pub u32);

impl Word for Mode {
    const EXAMPLE: &'static str = "\"0660\"";
    // 660 and 0o660 would be numbers, and not the digits that were meant.
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('0').unwrap_or(text);
        let mode = u32::from_str_radix(digits, 8).ok();
        let mode = mode.filter(|mode| digits.len() == 3 && *mode <= 0o777);
        mode.map(Mode).ok_or_else(|| {
            format!(
                "{text:?} are no permissions; write three octal digits, such as `\"0660\"` for this user and its group"
            )
        })
    }

    fn schema() -> serde_json::Value {
        json!({"type": "string", "pattern": "^0?[0-7]{3}$"})
    }
}
