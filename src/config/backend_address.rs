//! Where a backend listens, and what is wrong with what was written instead.

use super::host::is_host_name;
use super::read::Word;
use super::reader::Reader;
use super::schema;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where a backend listens. Displayed as it was written; the path of a Unix socket as it is from the folder of the process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BackendAddress {
    /// An IP address and port.
    Socket(SocketAddr),
    /// A name to be looked up, and a port.
    Name {
        /// The host name.
        host: String,
        /// The TCP port.
        port: u16,
    },
    /// A name whose SRV records say hosts and ports.
    Service {
        /// The name of the records.
        name: String,
    },
    /// A Unix socket, by its path.
    Unix(PathBuf),
}

impl BackendAddress {
    /// Whether it is an address itself, and no name that has some.
    pub fn is_fixed(&self) -> bool {
        matches!(self, Self::Socket(_) | Self::Unix(_))
    }

    /// The same, with a path that holds from the folder of the process.
    pub(super) fn located(self, reader: &Reader<'_>) -> Result<Self, String> {
        let Self::Unix(path) = self else {
            return Ok(self);
        };
        let path = reader.located(&path);
        match path.as_os_str().len() {
            ..=LONGEST_PATH => Ok(Self::Unix(path)),
            length => Err(format!(
                "{:?} has {length} bytes, and the path of a Unix socket may have {LONGEST_PATH}; put the socket into a folder with a shorter name",
                path.display().to_string()
            )),
        }
    }
}

/// What the kernel has room for (`sun_path` without the byte that ends it).
pub(super) const LONGEST_PATH: usize = 107;

impl fmt::Display for BackendAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackendAddress::Socket(address) => write!(out, "{address}"),
            BackendAddress::Name { host, port } => write!(out, "{host}:{port}"),
            BackendAddress::Service { name } => out.write_str(name),
            BackendAddress::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

impl Word for BackendAddress {
    const EXAMPLE: &'static str = "127.0.0.1:8001";

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = |advice: &str| Err(format!("{text:?} is no address of a backend; {advice}"));
        if let Some(path) = text.strip_prefix("unix:") {
            return match socket_path(path) {
                Ok(path) => Ok(BackendAddress::Unix(path.to_owned())),
                Err(advice) => wrong(advice),
            };
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            if let Some(path) = rest.strip_prefix("unix:") {
                let path = path.trim_end_matches([':', '/']);
                return wrong(&format!("leave out the scheme: `unix:{path}`"));
            }
            let host = rest.split('/').next().unwrap_or_default();
            let port = if scheme == "https" { 443 } else { 80 };
            let host = if host.contains(':') {
                host.to_owned()
            } else {
                format!("{host}:{port}")
            };
            let tls = if scheme == "https" {
                ", and add `tls: {}` to the upstream"
            } else {
                ""
            };
            return wrong(&format!("leave out the scheme and the path: `{host}`{tls}"));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return match address {
                address if address.port() == 0 => wrong("a port is a number from 1 to 65535"),
                address if address.ip().is_unspecified() => wrong(
                    "nothing can be sent to this address; \
write the one that the backend listens on",
                ),
                address => Ok(BackendAddress::Socket(address)),
            };
        }
        match text.rsplit_once(':') {
            None => Err(without_port(text)),
            Some((_, port)) if port.parse::<u16>().map_or(true, |port| port == 0) => {
                wrong("a port is a number from 1 to 65535")
            }
            Some((host, port)) if host.contains(':') => wrong(&format!(
                "write IPv6 addresses in brackets, such as `[::1]:{port}`"
            )),
            Some((host, port)) if is_host_name(host) && !looks_like_ipv4(host) => {
                Ok(BackendAddress::Name {
                    host: host.to_owned(),
                    port: port.parse().unwrap_or_default(),
                })
            }
            Some((host, _)) => wrong(&format!(
                "{host:?} is neither an IP address nor a host name"
            )),
        }
    }

    fn schema() -> serde_json::Value {
        schema::text_like("^(unix:.+|.+:[0-9]+)$")
    }
}

/// The path after `unix:`, or what to write.
pub(super) fn socket_path(path: &str) -> Result<&Path, &'static str> {
    if path.is_empty() {
        Err("write the path of a Unix socket, such as `unix:/run/app.sock`")
    } else if path.starts_with('@') || path.contains('\0') {
        Err("there are only Unix sockets with a file here, and no abstract ones; write a path")
    } else {
        Ok(Path::new(path))
    }
}

/// What to write in place of `text`, which has no port.
pub(super) fn without_port(text: &str) -> String {
    if text.starts_with('_') && is_host_name(text) {
        return format!(
            "{text:?} is no address of a backend; \
write `{{ address: {text}, srv: true }}` for what its SRV records say, or `host:port`"
        );
    }
    let advice = match text.strip_prefix("unix@").unwrap_or(text) {
        path if path.contains('/') => format!("write `unix:{path}` for a Unix socket"),
        _ => "write `host:port`, such as `127.0.0.1:8001`".to_owned(),
    };
    format!("{text:?} is no address of a backend; {advice}")
}

/// Whether it is meant as an address: `10.0.0.256` is a typo, and not a name to be looked up (RFC 1123 §2.1: a top-level domain is never all digits).
pub(super) fn looks_like_ipv4(host: &str) -> bool {
    host.rsplit('.')
        .next()
        .is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()))
}
