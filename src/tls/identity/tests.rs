use rcgen::{CertificateParams, KeyPair};

use super::{Identity, PrivateKey};
use crate::tls::Certificates;

fn certificate(name: &str, key: &KeyPair) -> rcgen::Certificate {
    let parameters = CertificateParams::new([name.to_owned()]).unwrap();
    parameters.self_signed(key).unwrap()
}

#[test]
fn a_key_and_its_certificate_make_an_identity() {
    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_RSA_SHA256,
    ] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificates =
            Certificates::from_pem(certificate("a.test", &key).pem().as_bytes()).unwrap();
        let read = PrivateKey::from_pem(key.serialize_pem().as_bytes()).unwrap();
        assert_eq!(read.secret_der(), key.serialized_der());
        Identity::new(certificates, read).unwrap();
    }
}

#[test]
fn the_key_of_another_certificate_is_refused() {
    let (own, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let key = PrivateKey::from_pem(own.serialize_pem().as_bytes()).unwrap();
    let file = format!(
        "{}{}",
        certificate("authority.test", &other).pem(),
        certificate("a.test", &own).pem()
    );
    let certificates = Certificates::from_pem(file.as_bytes()).unwrap();
    let complaint = Identity::new(certificates, key).unwrap_err();
    assert!(
        complaint.contains("another key than that of the first certificate"),
        "{complaint}"
    );
}

#[test]
fn a_file_without_a_usable_key_says_what_to_do() {
    let public = certificate("a.test", &KeyPair::generate().unwrap()).pem();
    let block = |label: &str, inside: &str| {
        format!("-----BEGIN {label}-----\n{inside}\n-----END {label}-----\n")
    };
    for (file, advice) in [
        (String::new(), "BEGIN PRIVATE KEY"),
        (public, "BEGIN PRIVATE KEY"),
        (block("ENCRYPTED PRIVATE KEY", "AAAA"), "openssl pkey"),
        (
            block(
                "RSA PRIVATE KEY",
                "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA",
            ),
            "openssl pkey",
        ),
        (block("PRIVATE KEY", "AAAA"), "cannot be used"),
        (block("EC PRIVATE KEY", "MAMCAQE="), "cannot be used"),
    ] {
        let complaint = PrivateKey::from_pem(file.as_bytes()).unwrap_err();
        assert!(complaint.contains(advice), "{file}: {complaint}");
    }
}

#[test]
fn a_key_is_not_shown_by_debug() {
    let key = KeyPair::generate().unwrap().serialize_pem();
    let key = PrivateKey::from_pem(key.as_bytes()).unwrap();
    assert_eq!(format!("{key:?}"), "PrivateKey(…)");
}
