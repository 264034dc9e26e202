//! The way of a request, from decision to decision.
//!
//! The order is that of `proxy::phase::request`, `upstream_peer` and `upstream_request`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderValue, header};
use pingora_core::Result;
use pingora_http::RequestHeader;

use super::explanation::{Explanation, Rewritten};
use super::filters::{self, Place};
use super::question::Question;
use super::{engine, routes, upstream};
use crate::clock::Clock;
use crate::config::{BackendProtocol, WrittenHeader};
use crate::decision::{self, Outgoing, Sender, Words};
use crate::filter::{Facts, RequestHead, Touched};
use crate::observe::record::{Record, Tls};
use crate::proxy::failure::Failure;
use crate::proxy::turned_away::Reason;
use crate::runtime::{Action, Listener, Route, Snapshot};
use crate::semantics::end::{End, UNIX};
use crate::semantics::forwarded::{self, Scheme};
use crate::semantics::head;
use crate::template::Template;
use crate::upstream::{Applicant, Backend, Upstream};

/// Says what would become of a request under this snapshot, as things are now.
///
/// `hostname` is what `$hostname` stands for. Filters that have to wait for something (a lookup over the network) do so.
pub async fn explain(
    snapshot: &Snapshot,
    question: &Question,
    clock: &dyn Clock,
    hostname: &str,
) -> Explanation {
    let mut told = Explanation::default();
    let Some(listener) = question.listener(snapshot) else {
        return told;
    };
    told.listener.clone_from(&listener.name);
    if let Err(refused) = head::check(&question.head, &listener.head) {
        let status = refused.status();
        told.status = Some(status.as_u16());
        told.because = Some(Reason::Head(refused).sentence().to_owned());
        return told;
    }
    let origin = head::in_origin_form(&question.head);
    let Ok(sent) = engine::read(origin.as_deref().unwrap_or(&question.head)) else {
        told.refuse(Failure::BadRequest);
        return told;
    };
    let journey = Journey::begin(snapshot, listener, question.peer, &sent, clock, hostname);
    if journey.go(&mut told).await.is_err() {
        told.refuse(Failure::Internal);
    }
    told
}

impl Explanation {
    /// The answer is ours.
    pub(super) fn refuse(&mut self, failure: Failure) {
        let row = failure.row();
        self.status = Some(row.status.as_u16());
        self.because = Some(row.sentence.to_owned());
    }
}

/// A request on its way.
struct Journey<'a> {
    snapshot: &'a Snapshot,
    listener: &'a Listener,
    peer: End,
    /// The head as the client sent it.
    sent: &'a RequestHeader,
    words: Words<'a>,
    sender: Sender,
    request_id: HeaderValue,
    /// Of a client as most are; none where the listener has no TLS.
    tls: Option<Tls>,
    now: Instant,
    began: SystemTime,
    hostname: &'a str,
}

/// A head that the filters have let pass.
struct Passed {
    head: RequestHeader,
    is_changed: bool,
    touched: Touched,
}

impl<'a> Journey<'a> {
    fn begin(
        snapshot: &'a Snapshot,
        listener: &'a Listener,
        peer: End,
        sent: &'a RequestHeader,
        clock: &dyn Clock,
        hostname: &'a str,
    ) -> Self {
        let sender = Sender::of(peer.ip(), &sent.headers, &snapshot.trusted_proxies);
        let kept = decision::kept_request_id(snapshot, &sent.headers, sender.peer_is_trusted);
        let began = clock.wall();
        let words = Words::of(sent);
        Self {
            snapshot,
            listener,
            peer,
            sent,
            sender,
            request_id: kept
                .cloned()
                .unwrap_or_else(|| decision::make_request_id(began)),
            tls: listener.is_tls.then(|| Tls {
                protocol: "TLSv1.3",
                cipher: "TLS_AES_256_GCM_SHA384".to_owned(),
                server_name: Some(words.host.clone().into_owned()),
                has_client_certificate: false,
                client_subject: None,
            }),
            words,
            now: clock.now(),
            began,
            hostname,
        }
    }

    async fn go(&self, told: &mut Explanation) -> Result<()> {
        let client = self.sender.client;
        told.client = Some(client.map_or_else(|| UNIX.to_owned(), |client| client.to_string()));
        let host = decision::host(self.sent);
        let question = decision::question(self.sent, &host, &self.listener.name);
        let (considered, found) = routes::consider(self.snapshot, &question);
        told.considered = considered;
        let route = found.and_then(|index| Some((index, self.snapshot.routes.get(index)?)));
        told.route = route.map(|(_, route)| route.label.clone());
        let Some(passed) = self.pass_filters(route, told).await else {
            return Ok(());
        };
        let Some((_, route)) = route else {
            told.refuse(Failure::NoRoute);
            return Ok(());
        };
        match &route.action {
            Action::Upstream(upstream) => {
                told.action = Some("upstream");
                self.reach(route, upstream, &passed, told)
            }
            Action::Split(split) => {
                told.action = Some("split");
                let key = self.render(route, None, split.key());
                match split.look(&key) {
                    Some(upstream) => self.reach(route, upstream, &passed, told),
                    None => {
                        told.refuse(Failure::Internal);
                        Ok(())
                    }
                }
            }
            Action::Redirect(redirect) => {
                told.action = Some("redirect");
                let record = self.record(Some(route), None);
                let answer = decision::elsewhere(redirect, &record);
                let location = answer
                    .headers
                    .iter()
                    .find(|(name, ..)| *name == header::LOCATION);
                told.location =
                    location.map(|(.., value)| String::from_utf8_lossy(value.as_bytes()).into());
                told.status = Some(answer.status.as_u16());
                Ok(())
            }
            Action::Respond(respond) => {
                told.action = Some("respond");
                told.status = Some(respond.status.as_u16());
                Ok(())
            }
        }
    }

    /// The head as the filters leave it; `None` when the request ends among them.
    async fn pass_filters(
        &self,
        route: Option<(usize, &Route)>,
        told: &mut Explanation,
    ) -> Option<Passed> {
        let listeners = &self.snapshot.listeners;
        let listener = listeners
            .iter()
            .position(|one| std::ptr::eq(one, self.listener));
        let of_route = route.map(|(index, route)| Place {
            path: format!("routes[{index}].filters"),
            is_list: true,
            links: &route.filters,
        });
        let listener = format!("listeners[{}]", listener.unwrap_or_default());
        let places = [
            Place {
                path: format!("{listener}.limits"),
                is_list: false,
                links: &self.listener.limits,
            },
            Place {
                path: "filters".to_owned(),
                is_list: true,
                links: &self.snapshot.filters,
            },
            Place {
                path: format!("{listener}.filters"),
                is_list: true,
                links: &self.listener.filters,
            },
        ];
        let places: Vec<_> = places.into_iter().chain(of_route).collect();
        let record = self.record(route.map(|(_, route)| route), None);
        let facts = Facts::new(&record, self.now);
        let mut head = RequestHead::new(self.sent);
        let (seen, end) = filters::pass(&places, &mut head, &facts).await;
        told.filters = seen;
        match end {
            filters::End::Passed => {}
            filters::End::Answered(answer) => {
                told.status = Some(answer.status().as_u16());
                told.because = Some("a filter answers".to_owned());
                return None;
            }
            filters::End::Broke(broken) => {
                told.refuse(Failure::from(&broken));
                return None;
            }
        }
        let (edited, touched, _) = head.into_parts();
        Some(Passed {
            is_changed: edited.is_some(),
            head: edited.map_or_else(|| self.sent.clone(), |head| *head),
            touched,
        })
    }

    /// The backend that it goes to, and what that is sent.
    fn reach(
        &self,
        route: &Route,
        upstream: &Upstream,
        passed: &Passed,
        told: &mut Explanation,
    ) -> Result<()> {
        let key = self.render(route, Some(upstream.name()), upstream.key());
        let applicant = Applicant {
            key: &key,
            token: decision::session_token(&passed.head.headers, upstream),
            tried: &|_| false,
        };
        // A policy may be the operator's own.
        let look = catch_unwind(AssertUnwindSafe(|| {
            upstream::look(upstream, &applicant, &passed.head.method, told)
        }));
        let Ok(look) = look else {
            told.refuse(Failure::Internal);
            told.because = Some("the upstream's policy panicked".to_owned());
            return Ok(());
        };
        if let Some(backend) = &look.picked {
            let mut request = self.rewritten(route, upstream, backend, passed);
            request.version = match upstream.config().protocol {
                BackendProtocol::Http1 => "HTTP/1.1",
                BackendProtocol::Http2 => "HTTP/2",
                BackendProtocol::Auto => "HTTP/2 or HTTP/1.1",
            };
            let introduction = upstream.config().proxy_protocol;
            request.proxy_protocol = introduction.map(|version| match self.peer {
                End::Socket(peer) => format!("{version}, from {peer}"),
                End::Unix => format!("{version}, from nobody that is known"),
            });
            told.request = Some(request);
        }
        Ok(())
    }

    fn rewritten(
        &self,
        route: &Route,
        upstream: &Upstream,
        backend: &Arc<Backend>,
        passed: &Passed,
    ) -> Rewritten {
        let host = self.sent.headers.get(header::HOST);
        let id: (&WrittenHeader, &HeaderValue) = (&self.snapshot.request_id, &self.request_id);
        let outgoing = Outgoing {
            sent: self.sent,
            is_changed: passed.is_changed,
            touched: &passed.touched,
            request_id: Some(id),
            forwarded: &route.forwarded,
            facts: forwarded::Facts {
                peer: self.peer.ip(),
                peer_is_trusted: self.sender.peer_is_trusted,
                client: self.sender.client,
                scheme: match self.listener.is_tls {
                    true => Scheme::Https,
                    false => Scheme::Http,
                },
                host: host.map_or("", |host| host.to_str().unwrap_or_default()),
                port: self.listener.address.port(),
            },
            backend: Some(backend),
        };
        let has_body = self.sent.headers.contains_key(header::TRANSFER_ENCODING);
        let may_switch = upstream.config().protocol != BackendProtocol::Http2;
        let lines = decision::lines(&passed.head, &outgoing, has_body, may_switch);
        engine::to_wire(&passed.head, &lines)
    }

    /// The text of a template; empty without one.
    fn render(
        &self,
        route: &Route,
        upstream: Option<&str>,
        template: Option<&Template>,
    ) -> Vec<u8> {
        let mut text = Vec::new();
        if let Some(template) = template {
            let record = self.record(Some(route), upstream);
            template.render(&record, &mut text);
        }
        text
    }

    fn record<'r>(&'r self, route: Option<&'r Route>, upstream: Option<&'r str>) -> Record<'r> {
        let Self { sender, peer, .. } = self;
        Record {
            started: self.began,
            duration: Duration::ZERO,
            hostname: self.hostname,
            listener: &self.listener.name,
            server_port: self.listener.address.port(),
            tls: self.tls.as_ref(),
            peer: peer.ip(),
            client: sender.client,
            client_port: peer.port().filter(|_| sender.client == peer.ip()),
            request_id: self.request_id.to_str().unwrap_or_default(),
            method: Some(&self.sent.method),
            target: self.sent.raw_path(),
            host: &self.words.host,
            path: &self.words.path,
            path_regex: route.and_then(|route| route.path_regex.as_ref()),
            version: Some(self.sent.version),
            request_headers: &self.sent.headers,
            request_length: 0,
            route: route.map(|route| route.label.as_str()),
            upstream,
            attempts: &[],
            upstream_headers: None,
            status: None,
            response_headers: None,
            bytes_sent: 0,
            body_bytes_sent: 0,
            error: None,
        }
    }
}
