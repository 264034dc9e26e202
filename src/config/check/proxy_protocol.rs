//! Listeners where proxies in front say who a client is, and nobody who would be believed.

use crate::config::file::File;
use crate::config::proxy_protocol::ProxyProtocol;
use crate::config::reader::Reader;
use crate::config::spot::Entry;

pub(super) fn believed(file: &File, reader: &mut Reader<'_>) {
    if !file.trusted_proxies.is_empty() || reader.has_faults_below("trusted_proxies") {
        return;
    }
    for entry in &file.listeners.0 {
        if let Entry::Given(_, listener) = entry
            && listener.proxy_protocol.value != ProxyProtocol::Off
            && let Some(place) = &listener.proxy_protocol.place
        {
            reader.fault_at(
                place,
                "only `trusted_proxies` are believed, and there are none; add the addresses of the proxies in front, or remove this",
            );
        }
    }
}
