//! Why TLS with a backend did not come about, in words for whoever is called at night.
//!
//! rustls knows the reason exactly, but Pingora hands it on as text inside of text (pingora-core 0.9.1,
//! `protocols/tls/rustls/client.rs`): what is left to read is what rustls prints. So this is a table from its words to
//! ours. The tests make rustls print each of them, so that a version with other words is noticed; what is not in the
//! table is passed on as it is, under the right kind.

use std::fmt;
use std::io;

use pingora_core::Error;
use rustls::AlertDescription;

use crate::tls::Day;

/// So many of the names in a certificate are shown.
const NAMES: usize = 3;

/// How an answer is shown that begins like an alert of TLS (RFC 8446 §5.1), and not like HTTP: by Pingora, and by `http1::answer`.
const TLS_IN_PLACE_OF_HTTP: [&str; 2] = [r"buf: \x15\x03", r#": "\x15\x03"#];

/// Why TLS with a backend did not come about, or was ended by the backend. Displayed as half a sentence on the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Who refused, and what.
    pub kind: RefusalKind,
    words: String,
}

/// The kinds that RFC 9209 §2.3 tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// We did not accept the backend's certificate.
    Certificate,
    /// The backend sent an alert: it did not want us.
    Alert,
    /// There was no handshake that makes sense.
    Protocol,
}

impl Refusal {
    /// What `error` says about TLS; `None` when it is about something else.
    pub fn of(error: &Error) -> Option<Self> {
        if let Some(alert) = alert_inside(error) {
            let words = explain_alert(&format!("{alert:?}"), None);
            return Some(Self::new(RefusalKind::Alert, words));
        }
        let text = error.context.as_ref()?.as_str();
        if TLS_IN_PLACE_OF_HTTP
            .iter()
            .any(|start| text.contains(start))
        {
            let words =
                "it answers in TLS, which is off here; `tls: {}` in its upstream switches it on";
            return Some(Self::new(RefusalKind::Protocol, words.to_owned()));
        }
        let text = text.strip_prefix("TLS connect() failed: ")?;
        let (text, name) = text.rsplit_once(", SNI: ").unwrap_or((text, ""));
        let cause = text.split_once(" cause: ").map_or(text, |(_, cause)| cause);
        Some(Self::read(cause, name))
    }

    /// What rustls, or the connection below it, says of a handshake in which `name` was asked for.
    fn read(cause: &str, name: &str) -> Self {
        if let Some(complaint) = cause.strip_prefix("invalid peer certificate: ") {
            return Self::new(RefusalKind::Certificate, explain_certificate(complaint));
        }
        if let Some(alert) = cause.strip_prefix("received fatal alert: ") {
            return Self::new(RefusalKind::Alert, explain_alert(alert, Some(name)));
        }
        let words = match cause {
            "received corrupt message of type InvalidContentType" => {
                "it does not speak TLS".to_owned()
            }
            "tls handshake eof" => {
                "it closed the connection during the TLS handshake; does it speak TLS?".to_owned()
            }
            "peer sent no certificates" => "it has no certificate".to_owned(),
            _ if cause.contains("reset by peer") || cause.contains("Broken pipe") => {
                "it reset the connection during the TLS handshake; does it speak TLS?".to_owned()
            }
            _ if cause.starts_with("peer is incompatible") => {
                format!("it has no version or cipher of TLS in common with us: {cause}")
            }
            _ => format!("the TLS handshake failed: {cause}"),
        };
        Self::new(RefusalKind::Protocol, words)
    }

    fn new(kind: RefusalKind, words: String) -> Self {
        Self { kind, words }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The names in a certificate are whatever the backend sent.
        for letter in self.words.chars() {
            if letter.is_control() {
                write!(out, "{}", letter.escape_debug())?;
            } else {
                fmt::Write::write_char(out, letter)?;
            }
        }
        Ok(())
    }
}

/// The alert that ended a connection whose handshake had seemed complete: with TLS 1.3 a backend looks at the client's
/// certificate only then (RFC 8446 §4.4.2.4).
fn alert_inside(error: &Error) -> Option<AlertDescription> {
    let mut cause: &(dyn std::error::Error + 'static) = error.cause.as_deref()?;
    loop {
        let inner = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if let Some(rustls::Error::AlertReceived(alert)) =
            inner.and_then(|inner| inner.downcast_ref())
        {
            return Some(*alert);
        }
        cause = cause.source()?;
    }
}

fn explain_certificate(complaint: &str) -> String {
    let date = |before: &str| {
        let (_, date) = complaint.split_once(before)?;
        let digits = date.split(' ').next()?;
        digits.parse().ok().map(Day)
    };
    if let Some(day) = date("but certificate is not valid after ") {
        return format!("its certificate has expired on {day}");
    }
    if let Some(day) = date("but certificate is not valid before ") {
        return format!("its certificate is not valid before {day}; is the clock right?");
    }
    if let Some(words) = explain_name(complaint) {
        return words;
    }
    match complaint {
        "Expired" => "its certificate has expired".to_owned(),
        "NotValidYet" => "its certificate is not valid yet; is the clock right?".to_owned(),
        "UnknownIssuer" => "its certificate was issued by an unknown authority".to_owned(),
        "BadSignature" => {
            "its certificate was not signed by the authority that it names".to_owned()
        }
        "Other(OtherError(CaUsedAsEndEntity))" => {
            "its certificate is that of an authority (CA:TRUE), which may not be a server's own"
                .to_owned()
        }
        _ if complaint.starts_with("certificate does not allow extended key usage") => {
            format!("its certificate is not for servers: {complaint}")
        }
        _ => format!("its certificate is not accepted: {complaint}"),
    }
}

/// `certificate not valid for name "app.test"; certificate is only valid for DnsName("other.test")`
fn explain_name(complaint: &str) -> Option<String> {
    let rest = complaint.strip_prefix("certificate not valid for name ")?;
    let (wanted, has) = rest.split_once("; certificate ")?;
    let wanted = wanted.trim_matches('"');
    let Some(names) = has.strip_prefix("is only valid for ") else {
        return Some(format!(
            "its certificate is for no name at all (subjectAltName), and not for {wanted}"
        ));
    };
    let names: Vec<_> = names
        .split(", ")
        .flat_map(|names| names.split(" or "))
        .map(bare)
        .collect();
    let shown = names.get(..NAMES).unwrap_or(&names).join(", ");
    let further = match names.len().saturating_sub(NAMES) {
        0 => String::new(),
        further => format!(" and {further} more"),
    };
    Some(format!(
        "its certificate is for {shown}{further}, not for {wanted}"
    ))
}

/// `DnsName("other.test")` without its wrapping.
fn bare(name: &str) -> &str {
    ["DnsName(", "IpAddress("]
        .iter()
        .find_map(|kind| name.strip_prefix(kind)?.strip_suffix(')'))
        .unwrap_or(name)
        .trim_matches('"')
}

/// The alerts of RFC 8446 §6.2, as rustls spells them.
fn explain_alert(alert: &str, name: Option<&str>) -> String {
    match alert {
        "CertificateRequired" => "it asks for a client certificate (`client_cert`)".to_owned(),
        "BadCertificate"
        | "UnsupportedCertificate"
        | "CertificateRevoked"
        | "CertificateExpired"
        | "CertificateUnknown"
        | "UnknownCA"
        | "AccessDenied"
        | "DecryptError" => {
            format!("it refuses our client certificate, or that there is none (alert {alert})")
        }
        "UnrecognisedName" => match name {
            Some(name) => {
                format!("it does not know the name that it was asked for, {name} (`server_name`)")
            }
            None => "it does not know the name that it was asked for (`server_name`)".to_owned(),
        },
        "ProtocolVersion" => "it has no version of TLS in common with us (1.2 and 1.3)".to_owned(),
        "HandshakeFailure" | "InsufficientSecurity" => {
            format!(
                "it has no cipher in common with us, or misses a client certificate (alert {alert})"
            )
        }
        "NoApplicationProtocol" => {
            "it speaks no version of HTTP that it was offered (`protocol`, ALPN)".to_owned()
        }
        _ => format!("it ended TLS (alert {alert})"),
    }
}

#[cfg(test)]
mod tests;
