use std::io;
use std::path::Path;

use pingora_core::upstreams::peer::{HttpPeer, Peer};
use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair};

use super::{Peers, in_pingoras_form};
use crate::config::{self, Surroundings};
use crate::tls::Certificates;
use crate::upstream::address::Address;

/// The peer of the one backend, `app.test:443` at an address of its own, under these settings. Every file that they name is `file`.
fn peer(settings: &str, file: &str) -> HttpPeer {
    let text = format!(
        "listeners: [{{ address: 127.0.0.1:80 }}]\nroutes: [{{ upstream: web }}]\n\
         upstreams: {{ web: {{ backends: [app.test:443], {settings} }} }}\n"
    );
    let surroundings = Surroundings {
        folder: std::path::Path::new(""),
        environment: &|_| None,
        files: &|_: &Path| -> io::Result<Vec<u8>> { Ok(file.as_bytes().to_vec()) },
        vocabulary: &config::Vocabulary::default(),
    };
    let config = config::parse_with("test.yaml", &text, &surroundings);
    let config = config.unwrap_or_else(|faults| panic!("{faults}"));
    let upstream = &config.upstreams[0];
    let written = &upstream.backends[0].address;
    let address = Address::Inet("192.0.2.1:443".parse().unwrap());
    Peers::new(upstream).template(upstream, &address, written)
}

/// A certificate and its key. All have one serial number, which is all that Pingora looks at.
fn identity() -> String {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(["any.test".to_owned()]).unwrap();
    parameters.serial_number = Some(1.into());
    let certificate = parameters.self_signed(&key).unwrap();
    certificate.pem() + &key.serialize_pem()
}

#[test]
fn without_tls_a_backend_is_spoken_to_in_the_clear() {
    let peer = peer("tls: off", "");
    assert!(!peer.tls());
    assert_eq!(peer.sni(), "");
}

#[test]
fn the_name_that_is_asked_for_is_the_backend_s_own_unless_another_is_configured() {
    assert_eq!(peer("tls: {}", "").sni(), "app.test");
    let other = peer("tls: { server_name: other.test }", "");
    assert_eq!((other.tls(), other.sni()), (true, "other.test"));
}

const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

proptest! {
    /// Pingora panics on what it cannot parse. Seen failing with the certificates not parsed when they are read.
    #[test]
    fn what_is_accepted_as_a_certificate_can_be_given_to_pingora(
        places in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        letter in prop::sample::select(BASE64),
    ) {
        let mut file = identity().into_bytes();
        let end = memchr::memmem::find(&file, b"-----END").unwrap();
        let start = b"-----BEGIN CERTIFICATE-----".len();
        for place in places {
            let place = start + place.index(end - start);
            if !file[place].is_ascii_whitespace() {
                file[place] = letter;
            }
        }
        if let Ok(certificates) = Certificates::from_pem(&file) {
            prop_assert_eq!(in_pingoras_form(&certificates).len(), 1);
        }
    }
}
