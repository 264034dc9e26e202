use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use rustls::pki_types::CertificateDer;

use super::{distinguished_name, escaped, names};

fn certificate(change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    change(&mut parameters);
    let key = KeyPair::generate().unwrap();
    parameters.self_signed(&key).unwrap().der().clone()
}

#[test]
fn the_names_are_the_alternative_ones_in_lower_case_and_never_the_common_name() {
    let certificate = certificate(|parameters| {
        parameters
            .distinguished_name
            .push(DnType::CommonName, "common.test");
        parameters.subject_alt_names = vec![
            SanType::DnsName("Www.A.test".try_into().unwrap()),
            SanType::IpAddress("192.0.2.1".parse().unwrap()),
            SanType::DnsName("*.b.test".try_into().unwrap()),
        ];
    });
    assert_eq!(names(&certificate), ["www.a.test", "*.b.test"]);
}

#[test]
fn a_subject_is_written_with_its_most_specific_part_first() {
    let certificate = certificate(|parameters| {
        let mut name = DistinguishedName::new();
        name.push(DnType::CountryName, "DE");
        name.push(DnType::OrganizationName, "Example, \"Inc.\"");
        name.push(DnType::CommonName, " client #1");
        parameters.distinguished_name = name;
    });
    let written = distinguished_name(&certificate).unwrap();
    assert_eq!(written, "CN=\\ client #1,O=Example\\, \\\"Inc.\\\",C=DE");
}

#[test]
fn a_subject_cannot_end_a_header_line() {
    assert_eq!(escaped("a\r\nX-Admin: yes"), "aX-Admin: yes");
    assert_eq!(escaped("#a b "), "\\#a b\\ ");
    assert_eq!(escaped("a\\b+c"), "a\\\\b\\+c");
}

#[test]
fn what_is_no_certificate_has_no_names() {
    let nonsense = CertificateDer::from(vec![1, 2, 3]);
    assert!(names(&nonsense).is_empty());
    assert_eq!(distinguished_name(&nonsense), None);
}
