//! Names in certificates: those that a server goes by, and who a client is.

use rustls::pki_types::CertificateDer;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{
    AttributeTypeAndValue, FromDer, GeneralName, X509Certificate, X509Name,
};

/// The host names of a certificate's subject alternative names, in lower case; its common name counts for nothing (RFC 6125 §6.4.4).
pub(super) fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let Ok(Some(alternatives)) = parsed.subject_alternative_name() else {
        return Vec::new();
    };
    let names = alternatives.value.general_names.iter();
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    names.collect()
}

/// The subject of a certificate as nginx has it in `$ssl_client_s_dn`: `CN=client,O=Example` (RFC 4514).
pub fn distinguished_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(written(parsed.subject()))
}

fn written(name: &X509Name<'_>) -> String {
    // The most specific part is the last one in the certificate, and the first one in text (RFC 4514 §2.1).
    let mut parts: Vec<String> = name
        .iter_rdn()
        .map(|part| {
            let attributes: Vec<String> = part.iter().map(attribute).collect();
            attributes.join("+")
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type();
    let key = oid2abbrev(oid, oid_registry()).map_or_else(|_| oid.to_id_string(), str::to_owned);
    format!("{key}={}", escaped(attribute.as_str().unwrap_or_default()))
}

/// RFC 4514 §2.4; control characters are left out, since the text may become a header.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (index, letter) in value.chars().enumerate() {
        let is_special = matches!(letter, '"' | '+' | ',' | ';' | '<' | '>' | '\\');
        let is_at_the_end =
            (index == 0 && matches!(letter, ' ' | '#')) || (index == last && letter == ' ');
        if is_special || is_at_the_end {
            text.push('\\');
        }
        if !letter.is_control() {
            text.push(letter);
        }
    }
    text
}

#[cfg(test)]
mod tests;
