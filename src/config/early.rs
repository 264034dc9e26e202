//! Templates that are rendered before there is an attempt: keys of hashes and splits, places that redirects lead to.
//!
//! A variable that is only known later would be empty in them for every request, so it is refused.

use crate::template::{Kind, TABLE, Template, Variable};

/// The first variable that has no value yet, or that `is_refused` for another reason: its name, without `$`.
pub(super) fn late_variable(
    template: &Template,
    is_refused: impl Fn(&Variable) -> bool,
) -> Option<String> {
    let is_late = |variable: &&Variable| !is_known_early(variable) || is_refused(variable);
    template.variables().find(is_late).map(variable_name)
}

/// Whether a variable has its value before the first attempt.
pub(super) fn is_known_early(variable: &Variable) -> bool {
    use Variable as V;
    match variable {
        V::Host
        | V::RequestHeader(_)
        | V::Cookie(_)
        | V::Argument(_)
        | V::Arguments
        | V::Path
        | V::PathGroup(_)
        | V::RequestTarget
        | V::RequestMethod
        | V::Scheme
        | V::ServerPort
        | V::ServerProtocol
        | V::ClientAddress
        | V::ClientPort
        | V::PeerAddress
        | V::ForwardedFor
        | V::RequestId
        | V::Hostname
        | V::Listener
        | V::TlsProtocol
        | V::TlsCipher
        | V::TlsServerName
        | V::TlsClientSubject
        | V::TlsClientVerify
        | V::Route
        | V::Upstream => true,
        V::UpstreamAddress
        | V::UpstreamStatus
        | V::UpstreamConnectTime
        | V::UpstreamHeaderTime
        | V::UpstreamResponseTime
        | V::Attempts
        | V::Status
        | V::BytesSent
        | V::BodyBytesSent
        | V::RequestLength
        | V::RequestTime
        | V::Milliseconds
        | V::TimeIso8601
        | V::TimeLocal
        | V::Error
        | V::SentHeader(_)
        | V::UpstreamHeader(_) => false,
    }
}

/// What the variable is called, without `$`.
pub(super) fn variable_name(variable: &Variable) -> String {
    use Variable as V;
    let matching = TABLE
        .iter()
        .find_map(|entry| match (&entry.kind, variable) {
            (Kind::Fixed(fixed), variable) if fixed == variable => Some(entry.name.to_owned()),
            (
                Kind::Header(make),
                V::RequestHeader(header) | V::SentHeader(header) | V::UpstreamHeader(header),
            ) if make(header.clone()) == *variable => Some(format!(
                "{}{}",
                entry.name,
                header.as_str().replace('-', "_")
            )),
            (Kind::Name(make), V::Cookie(name) | V::Argument(name) | V::PathGroup(name))
                if make(name.clone()) == *variable =>
            {
                Some(format!("{}{name}", entry.name))
            }
            _ => None,
        });
    matching.unwrap_or_default()
}
