//! Addresses that are bound twice, and the names of those who bind them.

use crate::config::ListenAddress;
use crate::config::embedded_backend::EmbeddedBackendEntry;
use crate::config::file::File;
use crate::config::reader::Reader;
use crate::config::spot::Entry;
use std::net::SocketAddr;

pub(super) fn listeners(file: &File, reader: &mut Reader<'_>) {
    let entries = file.listeners.0.iter().filter_map(|entry| match entry {
        Entry::Given(place, entry) => Some((place, entry)),
        Entry::Absent | Entry::Refused(_) => None,
    });
    let mut earlier: Vec<(&ListenAddress, String)> = Vec::new();
    for (place, entry) in entries {
        let (address, name) = (entry.address(), entry.name());
        let address_place = entry.address.place.as_ref().unwrap_or(place);
        let name_place = entry.name.as_ref().and_then(|name| name.place.as_ref());
        if let Some((_, other)) = earlier.iter().find(|(other, _)| are_one(other, address)) {
            reader.fault_at(
                address_place,
                format!(
                    "the listener {other:?} has this address already; \
choose another, or remove one of them"
                ),
            );
        } else if earlier.iter().any(|(_, other)| *other == name) {
            reader.fault_at(
                name_place.unwrap_or(address_place),
                format!(
                    "another listener is called {name:?} already; give this one a `name` of its own"
                ),
            );
        }
        earlier.push((address, name));
    }
}

/// Whether both cannot be listened on at once.
fn are_one(one: &ListenAddress, other: &ListenAddress) -> bool {
    match (one, other) {
        (ListenAddress::Socket(one), ListenAddress::Socket(other)) => collide(*one, *other),
        _ => one == other,
    }
}

/// Whether both cannot be bound at once. Port 0 is a free port each time.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = |one: SocketAddr, other: SocketAddr| {
        one.ip().is_unspecified() && one.is_ipv4() == other.is_ipv4()
    };
    one.port() != 0
        && one.port() == other.port()
        && (one.ip() == other.ip() || covers(one, other) || covers(other, one))
}

pub(super) fn embedded_backends(file: &File, reader: &mut Reader<'_>) {
    let listeners: Vec<SocketAddr> = file
        .listeners
        .0
        .iter()
        .filter_map(|entry| match entry {
            Entry::Given(_, entry) => match entry.address() {
                ListenAddress::Socket(address) => Some(*address),
                ListenAddress::Unix(_) => None,
            },
            Entry::Absent | Entry::Refused(_) => None,
        })
        .collect();
    let mut earlier: Vec<&EmbeddedBackendEntry> = Vec::new();
    for entry in &file.embedded_backends {
        let address = entry.address.value;
        if let Some(place) = &entry.address.place {
            if listeners.iter().any(|listener| collide(*listener, address)) {
                reader.fault_at(
                    place,
                    "a listener has this address already; choose another port",
                );
            } else if earlier
                .iter()
                .any(|other| collide(other.address.value, address))
            {
                reader.fault_at(
                    place,
                    "another embedded backend has this address already; choose another port",
                );
            }
        }
        if let (Some(place), true) = (
            &entry.name.place,
            earlier
                .iter()
                .any(|other| other.name.value == entry.name.value),
        ) {
            reader.fault_at(
                place,
                format!(
                    "another embedded backend is called {:?} already; choose another name",
                    entry.name.value.0
                ),
            );
        }
        earlier.push(entry);
    }
}
