use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};

use super::Chooser;
use crate::tls::{Certificates, Identity, PrivateKey};

fn identity(names: &[&str], algorithm: &'static rcgen::SignatureAlgorithm) -> Identity {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let certificate = CertificateParams::new(names)
        .unwrap()
        .self_signed(&key)
        .unwrap();
    Identity::new(
        Certificates::from_pem(certificate.pem().as_bytes()).unwrap(),
        PrivateKey::from_pem(key.serialize_pem().as_bytes()).unwrap(),
    )
    .unwrap()
}

fn ecdsa(names: &[&str]) -> Identity {
    identity(names, &PKCS_ECDSA_P256_SHA256)
}

#[test]
fn the_exact_name_comes_before_a_wildcard_and_the_first_is_for_everybody_else() {
    let all = [
        ecdsa(&["a.test"]),
        ecdsa(&["*.b.test"]),
        ecdsa(&["x.b.test", "B.test"]),
    ];
    let chooser = Chooser::new(&all);
    for (name, index) in [
        (Some("a.test"), 0),
        (Some("A.TEST."), 0),
        (Some("y.b.test"), 1),
        (Some("x.b.test"), 2),
        (Some("b.test"), 2),
        // A wildcard is for one label.
        (Some("z.y.b.test"), 0),
        (Some("other.test"), 0),
        (Some(""), 0),
        (None, 0),
    ] {
        assert_eq!(chooser.candidates(name), [index], "{name:?}");
    }
}

#[test]
fn of_certificates_with_the_same_names_the_cheaper_key_comes_first() {
    let all = [
        identity(&["a.test"], &PKCS_RSA_SHA256),
        ecdsa(&["a.test"]),
        ecdsa(&["b.test"]),
    ];
    let chooser = Chooser::new(&all);
    assert_eq!(chooser.candidates(Some("a.test")), [1, 0]);
    assert_eq!(chooser.candidates(None), [1, 0]);
    assert_eq!(chooser.candidates(Some("b.test")), [2]);
}

#[test]
fn a_connection_carries_requests_for_hosts_that_its_certificate_is_shown_for() {
    let all = [ecdsa(&["a.test", "b.test"]), ecdsa(&["*.c.test"])];
    let chooser = Chooser::new(&all);
    assert!(chooser.covers("a.test", "b.test"));
    assert!(chooser.covers("a.test", "unknown.test"));
    assert!(chooser.covers("x.c.test", "y.c.test"));
    assert!(!chooser.covers("x.c.test", "a.test"));
    assert!(!chooser.covers("a.test", "x.c.test"));
}

proptest! {
    #[test]
    fn a_chooser_of_one_always_chooses_it_and_no_name_makes_it_panic(name in "\\PC{0,30}", other in "\\PC{0,30}") {
        let all = [Identity::clone(one())];
        let chooser = Chooser::new(&all);
        prop_assert_eq!(chooser.candidates(Some(&name)), [0]);
        prop_assert!(chooser.covers(&name, &other));
    }
}

fn one() -> &'static Identity {
    static ONE: std::sync::LazyLock<Identity> =
        std::sync::LazyLock::new(|| ecdsa(&["a.test", "*.b.test"]));
    &ONE
}
