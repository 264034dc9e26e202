//! Numbers, times and addresses as text, appended to a buffer.
//!
//! These run for every field of every log line, and so do without `format!`: integers through
//! `itoa`, calendar dates through `time`, and the fixed layouts around them by hand. Times are in
//! UTC, whatever the machine's time zone: reading a time zone is not safe in a process with
//! threads, and logs of several machines must sort together.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;

use crate::semantics::end::UNIX;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Text of at most `N` bytes that is appended as `N`, of which the rest is taken back: a copy of a size that the compiler knows is two
/// instructions, and one of any other size a call.
pub(super) struct Short<const N: usize> {
    bytes: [u8; N],
    length: u8,
}

impl<const N: usize> Short<N> {
    pub(super) const EMPTY: Self = Self {
        bytes: [0; N],
        length: 0,
    };

    /// # Panics
    /// If the text is longer than `N` bytes.
    pub(super) const fn new(text: &str) -> Self {
        let text = text.as_bytes();
        let mut short = Self::EMPTY;
        while (short.length as usize) < text.len() {
            short.push(text[short.length as usize]);
        }
        short
    }

    /// # Panics
    /// If there are `N` bytes.
    const fn push(&mut self, byte: u8) {
        self.bytes[self.length as usize] = byte;
        self.length += 1;
    }

    pub(super) fn append(&self, out: &mut Vec<u8>) {
        let end = out.len() + usize::from(self.length);
        out.extend_from_slice(&self.bytes);
        out.truncate(end);
    }
}

/// `42`
pub(super) fn append_integer(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Seconds with milliseconds, cut off and not rounded, as nginx prints them: `0.012`.
pub(super) fn append_seconds(duration: Duration, out: &mut Vec<u8>) {
    let [hundreds, tens, ones] = digits::<3>(duration.subsec_millis());
    match duration.as_secs() {
        // Nearly all that is measured.
        second @ 0..10 => {
            out.extend_from_slice(&[b'0' + second as u8, b'.', hundreds, tens, ones]);
        }
        seconds => {
            append_integer(seconds, out);
            out.extend_from_slice(&[b'.', hundreds, tens, ones]);
        }
    }
}

/// `1795378391.120`; a time before 1970 counts as 1970.
pub(super) fn append_unix_time(time: SystemTime, out: &mut Vec<u8>) {
    append_seconds(
        time.duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default(),
        out,
    );
}

/// `22/Nov/2026:20:13:11 +0000`
pub(super) fn append_common_log_time(time: SystemTime, out: &mut Vec<u8>) {
    thread_local!(static LAST: SecondText = const { SecondText::new() });
    LAST.with(|last| last.append(time, common_log_time, out));
}

/// `2026-11-22T20:13:11+00:00`
pub(super) fn append_iso8601_time(time: SystemTime, out: &mut Vec<u8>) {
    thread_local!(static LAST: SecondText = const { SecondText::new() });
    LAST.with(|last| last.append(time, iso8601_time, out));
}

/// The text of a second, which is the same for thousands of lines.
struct SecondText {
    second: Cell<Option<u64>>,
    text: RefCell<Vec<u8>>,
}

impl SecondText {
    const fn new() -> Self {
        Self {
            second: Cell::new(None),
            text: RefCell::new(Vec::new()),
        }
    }

    fn append(&self, time: SystemTime, write: fn(OffsetDateTime, &mut Vec<u8>), out: &mut Vec<u8>) {
        let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH);
        let second = since_epoch.unwrap_or_default().as_secs();
        let mut text = self.text.borrow_mut();
        if self.second.replace(Some(second)) != Some(second) {
            text.clear();
            write(calendar(second), &mut text);
        }
        out.extend_from_slice(&text);
    }
}

fn common_log_time(time: OffsetDateTime, out: &mut Vec<u8>) {
    append_digits::<2>(time.day().into(), out);
    out.push(b'/');
    let month = MONTHS
        .get(usize::from(u8::from(time.month())) - 1)
        .unwrap_or(&"");
    out.extend_from_slice(month.as_bytes());
    out.push(b'/');
    append_digits::<4>(time.year().unsigned_abs(), out);
    out.push(b':');
    append_time_of_day(time, out);
    out.extend_from_slice(b" +0000");
}

fn iso8601_time(time: OffsetDateTime, out: &mut Vec<u8>) {
    append_digits::<4>(time.year().unsigned_abs(), out);
    out.push(b'-');
    append_digits::<2>(u8::from(time.month()).into(), out);
    out.push(b'-');
    append_digits::<2>(time.day().into(), out);
    out.push(b'T');
    append_time_of_day(time, out);
    out.extend_from_slice(b"+00:00");
}

/// `192.0.2.1` or `2001:db8::1`; as in nginx, `unix:` where there is no address.
pub(super) fn append_end(address: Option<IpAddr>, out: &mut Vec<u8>) {
    match address {
        Some(address) => append_address(address, out),
        None => out.extend_from_slice(UNIX.as_bytes()),
    }
}

fn append_address(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => append_ipv4_address(address, out),
        // The rules of RFC 5952 are the standard library's to know; writing to a Vec does not fail.
        IpAddr::V6(address) => drop(write!(out, "{address}")),
    }
}

fn append_ipv4_address(address: Ipv4Addr, out: &mut Vec<u8>) {
    // With the dot that is one too many.
    let mut text = Short::<16>::EMPTY;
    for octet in address.octets() {
        if octet >= 100 {
            text.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            text.push(b'0' + octet / 10 % 10);
        }
        text.push(b'0' + octet % 10);
        text.push(b'.');
    }
    text.length -= 1;
    text.append(out);
}

/// The date and time in UTC of a second since 1970; one after the year 9999 counts as 1970.
fn calendar(second: u64) -> OffsetDateTime {
    i64::try_from(second)
        .ok()
        .and_then(|second| OffsetDateTime::from_unix_timestamp(second).ok())
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn append_time_of_day(time: OffsetDateTime, out: &mut Vec<u8>) {
    append_digits::<2>(time.hour().into(), out);
    out.push(b':');
    append_digits::<2>(time.minute().into(), out);
    out.push(b':');
    append_digits::<2>(time.second().into(), out);
}

fn append_digits<const N: usize>(number: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&digits::<N>(number));
}

/// The last `N` digits of a number, with zeros before it.
fn digits<const N: usize>(mut number: u32) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(append: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        append(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn seconds_have_three_decimals_and_are_cut_off() {
        assert_eq!(
            text(|out| append_seconds(Duration::from_micros(12_999), out)),
            "0.012"
        );
        assert_eq!(
            text(|out| append_seconds(Duration::from_millis(61_007), out)),
            "61.007"
        );
        assert_eq!(text(|out| append_seconds(Duration::ZERO, out)), "0.000");
    }

    #[test]
    fn times_are_printed_as_nginx_prints_them_in_utc() {
        let time = at(1_795_378_391) + Duration::from_millis(120);
        assert_eq!(
            text(|out| append_common_log_time(time, out)),
            "22/Nov/2026:20:13:11 +0000"
        );
        assert_eq!(
            text(|out| append_iso8601_time(time, out)),
            "2026-11-22T20:13:11+00:00"
        );
        assert_eq!(text(|out| append_unix_time(time, out)), "1795378391.120");
    }

    #[test]
    fn a_leap_day_and_small_numbers_are_padded() {
        assert_eq!(
            text(|out| append_common_log_time(at(1_709_168_523), out)),
            "29/Feb/2024:01:02:03 +0000"
        );
        assert_eq!(
            text(|out| append_iso8601_time(at(1_709_168_523), out)),
            "2024-02-29T01:02:03+00:00"
        );
    }

    #[test]
    fn a_time_out_of_all_bounds_is_printed_and_does_not_panic() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(text(|out| append_unix_time(before, out)), "0.000");
        assert_eq!(
            text(|out| append_iso8601_time(before, out)),
            "1970-01-01T00:00:00+00:00"
        );
        assert_eq!(
            text(|out| append_iso8601_time(at(1 << 60), out)),
            "1970-01-01T00:00:00+00:00"
        );
    }

    proptest! {
        #[test]
        fn an_address_is_printed_as_the_standard_library_prints_it(address: IpAddr) {
            prop_assert_eq!(text(|out| append_address(address, out)), address.to_string());
        }

        #[test]
        fn a_date_is_the_one_that_another_library_says(seconds in 0u64..253_402_300_800) {
            let http = httpdate::fmt_http_date(at(seconds));
            let [_, day, month, year, time, _] = http.split(' ').collect::<Vec<_>>()[..] else { panic!("{http}") };
            let expected = format!("{day}/{month}/{year}:{time} +0000");
            prop_assert_eq!(text(|out| append_common_log_time(at(seconds), out)), expected);
        }
    }
}
