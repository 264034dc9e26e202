//! From the listeners that a file has to what is to be done about them.
//!
//! All that can fail is done here, and nothing that anybody would notice: a file with an address that cannot be had changes nothing.

use std::sync::Arc;

use super::bind::{self, Bound};
use super::front_door::Door;
use super::socket::Listening;
use super::tls::{Shown, Terminator};
use crate::config;

/// What is to become of the listeners.
#[derive(Debug)]
pub(super) struct Plan {
    /// One for each listener of the file.
    pub(super) planned: Vec<Planned>,
}

/// What is to become of one listener of the file.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) written: config::Listener,
    pub(super) how: How,
}

#[derive(Debug)]
pub(super) enum How {
    /// It stays as it is, but for the certificates that are shown.
    Stays(Option<Shown>),
    /// It opens, on a socket that may have been another's.
    Opens(Socket, Option<Arc<Terminator>>),
}

/// What clients connect to.
#[derive(Debug)]
pub(super) enum Socket {
    /// Bound a moment ago.
    New(Bound),
    /// In use until now.
    Kept(Arc<Listening>),
}

impl Plan {
    /// That of a process which has these listeners open.
    ///
    /// # Errors
    /// One line for each listener that cannot be had: what happened, and what to do.
    pub(super) fn new(listeners: &[config::Listener], open: &[Door]) -> Result<Self, String> {
        let (mut planned, mut failures) = (Vec::new(), Vec::new());
        for written in listeners {
            match how(written, open) {
                Ok(how) => planned.push(Planned {
                    written: written.clone(),
                    how,
                }),
                Err(failure) => failures.push(failure),
            }
        }
        match failures.is_empty() {
            true => Ok(Self { planned }),
            false => Err(failures.join("\n")),
        }
    }

    /// Whether there is still such a listener, whatever else is different about it.
    pub(super) fn has(&self, door: &Door) -> bool {
        let mut planned = self.planned.iter();
        planned.any(|planned| door.is(&planned.written))
    }
}

fn how(written: &config::Listener, open: &[Door]) -> Result<How, String> {
    if let Some(door) = open.iter().find(|door| door.is(written))
        && is_alike(&door.written, written)
    {
        return Ok(How::Stays(shown(door, written)?));
    }
    let tls = written.tls.clone();
    let tls = tls.map(|tls| Terminator::new(tls, written.protocols));
    let tls = tls.transpose().map_err(|error| of_tls(written, &error))?;
    // A free port is looked for once for each name.
    let has_address = |door: &&Door| match written.address.port() {
        Some(0) => door.is(written),
        _ => door.written.address == written.address,
    };
    let socket = match open.iter().find(has_address) {
        Some(door) => Socket::Kept(Arc::clone(&door.socket)),
        None => Socket::New(bind::listen(&written.address, written.mode)?),
    };
    Ok(How::Opens(socket, tls.map(Arc::new)))
}

/// Whether nothing is different that a client which is connected already was let in by.
fn is_alike(former: &config::Listener, written: &config::Listener) -> bool {
    let tls = match (&former.tls, &written.tls) {
        (None, None) => true,
        (Some(former), Some(written)) => {
            former.min_version == written.min_version && former.clients == written.clients
        }
        _ => false,
    };
    tls && former.mode == written.mode
        && former.protocols == written.protocols
        && former.proxy_protocol == written.proxy_protocol
        && former.timeouts == written.timeouts
        && former.limits == written.limits
}

fn shown(door: &Door, written: &config::Listener) -> Result<Option<Shown>, String> {
    match (&door.listener.tls, &written.tls) {
        (Some(terminator), Some(tls)) => {
            let shown = terminator.prepare(tls.clone());
            shown.map(Some).map_err(|error| of_tls(written, &error))
        }
        _ => Ok(None),
    }
}

fn of_tls(written: &config::Listener, error: &rustls::Error) -> String {
    format!("listener {}: tls: {error}", written.name)
}
