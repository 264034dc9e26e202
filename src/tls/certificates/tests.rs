use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::{Authorities, Certificates, Day};

/// A certificate for `name` that is valid in 2026.
fn certificate(name: &str) -> rcgen::Certificate {
    let mut parameters = CertificateParams::new([name.to_owned()]).unwrap();
    parameters.not_before = date_time_ymd(2026, 1, 1);
    parameters.not_after = date_time_ymd(2026, 12, 31);
    parameters
        .self_signed(&KeyPair::generate().unwrap())
        .unwrap()
}

fn day(date: time::OffsetDateTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(date.unix_timestamp().unsigned_abs())
}

#[test]
fn the_certificates_of_a_file_come_in_its_order_and_what_stands_between_is_passed_over() {
    let (first, second) = (certificate("a.test"), certificate("b.test"));
    let file = format!(
        "subject=CN=a.test\n{}\nsome notes\n{}\n{}",
        first.pem(),
        KeyPair::generate().unwrap().serialize_pem(),
        second.pem().replace('\n', "\r\n"),
    );
    let read = Certificates::from_pem(file.as_bytes()).unwrap();
    assert!(read.iter().eq([first.der(), second.der()]));
}

#[test]
fn a_file_without_certificates_says_what_it_should_hold() {
    let key = KeyPair::generate().unwrap().serialize_pem();
    for file in ["", "nothing of the kind", &key] {
        let complaint = Certificates::from_pem(file.as_bytes()).unwrap_err();
        assert!(complaint.contains("BEGIN CERTIFICATE"), "{complaint}");
    }
    let complaint = Certificates::from_pem(certificate("a.test").der()).unwrap_err();
    assert!(complaint.contains("-inform der"), "{complaint}");
}

#[test]
fn a_broken_block_is_refused_wherever_it_stands() {
    let good = certificate("a.test").pem();
    let cut = &good[..good.len() / 2];
    let complaint = Certificates::from_pem(format!("{good}{cut}").as_bytes()).unwrap_err();
    assert!(complaint.contains("broken"), "{complaint}");
}

/// What is no certificate inside would make the engine panic. Seen failing with the search for it taken out.
#[test]
fn a_block_that_is_no_certificate_inside_is_refused() {
    let good = certificate("a.test").pem();
    let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (file, place) in [
        (bad.to_owned(), "first"),
        (format!("{good}{bad}"), "second"),
        (format!("{good}{good}{bad}"), "number 3"),
    ] {
        let complaint = Certificates::from_pem(file.as_bytes()).unwrap_err();
        assert!(complaint.contains(&format!("its {place}")), "{complaint}");
        assert!(Authorities::from_pem(file.as_bytes()).is_err());
    }
}

#[test]
fn a_period_is_complained_about_outside_of_it_only_and_with_its_date() {
    let read = Certificates::from_pem(certificate("a.test").pem().as_bytes()).unwrap();
    let period = read.periods().next().unwrap();
    let second = Duration::from_secs(1);
    let (begin, end) = (
        day(date_time_ymd(2026, 1, 1)),
        day(date_time_ymd(2026, 12, 31)),
    );
    assert_eq!(
        period.complaint(begin - second).unwrap(),
        "is not valid before 2026-01-01"
    );
    assert_eq!(period.complaint(begin), None);
    assert_eq!(period.complaint(end), None);
    assert_eq!(
        period.complaint(end + second).unwrap(),
        "has expired on 2026-12-31"
    );
    assert!(period.complaint(SystemTime::UNIX_EPOCH - second).is_some());
}

#[test]
fn a_day_that_no_calendar_has_is_the_nearest_one() {
    assert_eq!(Day(0).to_string(), "1970-01-01");
    assert_eq!(Day(i64::MAX).to_string(), "9999-12-31");
    assert!(Day(i64::MIN).to_string().starts_with("-9999"));
}

proptest! {
    #[test]
    fn no_file_makes_the_readers_panic(file in prop::collection::vec(any::<u8>(), 0..200), inside in any::<bool>()) {
        let file = if inside {
            let text = String::from_utf8_lossy(&file);
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n").into_bytes()
        } else {
            file
        };
        let _ = Certificates::from_pem(&file);
        let _ = Authorities::from_pem(&file);
        let _ = crate::tls::PrivateKey::from_pem(&file);
    }
}
