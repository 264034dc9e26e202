//! The files of a listener's certificates, watched: what is renewed is shown from the next handshake on.
//!
//! They are looked at twice a second: size, time of change and inode of each, which costs next to nothing and works on every file system,
//! through symbolic links as Kubernetes and certbot have them, and over networks. When something is different, all files of the listener
//! are read; only certificates and keys that fit together are taken. A new certificate whose key is still the old one is a moment of every
//! renewal, so it is only complained of when it is still so a while later.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use super::Terminator;
use crate::config::{ListenerTls, ServerCertificate};
use crate::tls::{Authorities, Certificates, Identity, PrivateKey};

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(500);
/// Files that do not fit are complained of when they have not changed for so many looks.
const PATIENCE: u32 = 4;

/// Watches over the files of one listener, as long as it is there.
pub(crate) async fn watch(listener: Arc<str>, terminator: Weak<Terminator>) {
    let mut files = Files::default();
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(terminator) = terminator.upgrade() else {
            return;
        };
        let shown = terminator.written();
        let renewed = match files.look(&shown) {
            None => continue,
            Some(Ok(renewed)) if renewed == shown => continue,
            Some(Ok(renewed)) => terminator
                .prepare(renewed)
                .map_err(|error| error.to_string()),
            Some(Err(complaint)) => Err(complaint),
        };
        match renewed {
            Ok(renewed) => {
                terminator.show(renewed);
                log::info!("listener {listener}: its certificates were read again");
            }
            Err(why) => {
                log::error!("listener {listener}: {why}; the certificates before are still shown");
            }
        }
    }
}

/// The files of one listener, and what was made of them.
///
/// The first look reads them, whatever there was: they may have changed since the configuration was read.
#[derive(Default)]
struct Files {
    /// As they were when they were last read or complained of.
    settled: Vec<Mark>,
    /// As they are when they do not fit, and how many looks have found them so.
    misfit: (Vec<Mark>, u32),
}

impl Files {
    /// What they hold, when that is to be shown or complained of.
    fn look(&mut self, shown: &ListenerTls) -> Option<Result<ListenerTls, String>> {
        let now = marks(shown);
        if now == self.settled {
            return None;
        }
        let read = read_all(shown);
        if read.is_err() {
            let (marks, looks) = &mut self.misfit;
            if *marks != now {
                (*marks, *looks) = (now.clone(), 0);
            }
            *looks += 1;
            if *looks < PATIENCE {
                return None;
            }
        }
        self.settled = now;
        Some(read)
    }
}

/// What tells two states of a file apart.
type Mark = Option<(u64, Option<SystemTime>, u64)>;

fn marks(tls: &ListenerTls) -> Vec<Mark> {
    let pairs = tls.certificates.iter();
    let files = pairs.flat_map(|certificate| [&certificate.cert, &certificate.key]);
    let clients = tls.clients.iter().map(|clients| &clients.file);
    files.chain(clients).map(|path| mark(path)).collect()
}

fn mark(path: &Path) -> Mark {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok(), metadata.ino()))
}

/// The same, with what the files hold now.
fn read_all(tls: &ListenerTls) -> Result<ListenerTls, String> {
    let mut next = tls.clone();
    for certificate in &mut next.certificates {
        let ServerCertificate {
            cert,
            key,
            identity,
        } = certificate;
        let certificates = read(cert, Certificates::from_pem)?;
        let private_key = read(key, PrivateKey::from_pem)?;
        *identity = Identity::new(certificates, private_key)
            .map_err(|message| format!("{} {message}", key.display()))?;
    }
    if let Some(clients) = &mut next.clients {
        clients.authorities = read(&clients.file, Authorities::from_pem)?;
    }
    Ok(next)
}

fn read<T>(path: &Path, parse: impl FnOnce(&[u8]) -> Result<T, String>) -> Result<T, String> {
    let shown = path.display();
    let bytes = fs::read(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    parse(&bytes).map_err(|message| format!("{shown} {message}"))
}
