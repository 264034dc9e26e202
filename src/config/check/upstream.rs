//! Upstreams: that the keys of one can all have an effect beside each other.

use crate::config::diagnostic::Place;
use crate::config::reader::Reader;
use crate::config::spot::Spot;
use crate::config::upstream::{Upstream, UpstreamEntry};
use crate::config::{Backend, Connections, SlowStart};

/// The upstream, once its keys are seen to fit together.
pub(super) fn upstream(
    name: String,
    entry: Spot<UpstreamEntry>,
    reader: &mut Reader<'_>,
) -> Option<Upstream> {
    let entry = entry.value;
    let tls = entry.tls.0.map(|tls| tls.value.build(reader));
    let mut backends: Vec<Backend> = Vec::new();
    let mut places: Vec<Place> = Vec::new();
    for Spot { place, value } in entry.backends.0 {
        let Some(backend) = value.0.backend(place.as_ref(), reader) else {
            continue;
        };
        if let (Some(place), true) = (
            &place,
            backends
                .iter()
                .any(|other| other.address == backend.address),
        ) {
            reader.fault_at(
                place,
                format!(
                    "{} is in this upstream already; \
remove it, and give the other a higher `weight` for more requests",
                    backend.address
                ),
            );
        }
        if let (Some(place), Some(tls)) = (&place, &tls)
            && let Some(message) = tls.complaint(&backend.address)
        {
            reader.fault_at(place, message);
        }
        backends.push(backend);
        places.extend(place);
    }
    somebody_to_stand_in_for(&backends, &places, reader);
    let health_check = match entry.health_check.0 {
        None => None,
        Some(written) => Some(written.build(&backends, reader)?),
    };
    let sticky = entry.sticky.0.map(|sticky| sticky.value.build(reader));
    let queue = entry.queue.0.map(|queue| queue.build(&backends, reader));
    if health_check.is_none() && entry.outlier.0.is_none() {
        somebody_who_comes_back(&entry.slow_start, &backends, reader);
    }
    let streams = entry.connections.http2_streams;
    let protocol = entry.protocol;
    let protocol = protocol.build(tls.is_some(), streams.place.as_ref(), reader);
    Some(Upstream {
        name,
        backends,
        balance: entry.balance,
        sticky,
        health_check,
        outlier: entry.outlier.0,
        slow_start: entry.slow_start.value,
        retry: entry.retry.0.map(|retry| retry.build(reader)),
        timeouts: entry.timeouts,
        connections: Connections {
            idle: entry.connections.idle,
            keepalive: entry.connections.keepalive,
            http2_streams: streams.value,
        },
        proxy_protocol: entry.proxy_protocol.build(protocol, reader),
        protocol,
        tls,
        queue,
    })
}

/// Refuses an upstream of backups alone. Where a backend could not be read, it may be the one that is none.
fn somebody_to_stand_in_for(backends: &[Backend], places: &[Place], reader: &mut Reader<'_>) {
    let Some(first) = places.first() else {
        return;
    };
    let list = first.path.rsplit_once('[').map_or("", |(list, _)| list);
    if backends.iter().all(|backend| backend.backup) && !reader.has_faults_below(list) {
        reader.fault_at(
            first,
            "all backends here are backups, so there is none that they stand in for; \
leave out `backup` at one of them at least",
        );
    }
}

/// Refuses `slow_start` where no backend ever comes back: none is found healthy again or ejected, and no name has a new address.
fn somebody_who_comes_back(
    slow_start: &Spot<SlowStart>,
    backends: &[Backend],
    reader: &mut Reader<'_>,
) {
    if let Some(place) = &slow_start.place
        && slow_start.value.0.is_some()
        && backends.iter().all(|one| one.address.is_fixed())
    {
        reader.fault_at(
            place,
            "no backend ever comes back here, since there is no `health_check`, `outlier` is off, and no address is a name; \
add `health_check`, or remove this",
        );
    }
}
