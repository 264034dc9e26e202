//! HTTP/1 on one connection, from the first byte of a request's head to the last of its answer, again and again.
//!
//! The head is read here, whole, before any Pingora code runs. Pingora bounds each read but not the head as a whole, and never bounds the
//! time between two requests; here a head has a total deadline and a size limit, and an idle connection has an end. Between two requests
//! the connection holds neither a buffer nor a request's future: that is what makes it cheap to keep.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use pingora_core::apps::ReusedHttpStream;
use pingora_core::protocols::http::ServerSession;
use pingora_core::server::ShutdownWatch;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout, timeout_at};

use crate::clock::Alarm;
use crate::proxy::HttpProxy;
use crate::proxy::turned_away::{Asked, Reason, Sent};
use crate::semantics::{framing, head, request_line};
use crate::server::connection::{Connection, LINGER};
use crate::server::socket::Socket;

/// What Pingora is told of the time between two requests, in seconds; it is kept here.
const KEEPALIVE: u64 = 60;

/// Serves requests until the client or the server has had enough. What happens once in the life of a connection is boxed, so that one that
/// waits does not hold the space for it.
///
/// Once `shutdown` turns true, the request in flight is finished, its answer says `Connection: close`, and no other is read.
pub(crate) async fn serve<S: Socket>(
    proxy: Arc<HttpProxy>,
    mut connection: Box<Connection<S>>,
    shutdown: ShutdownWatch,
) {
    let mut requests: u32 = 0;
    let mut idle = Alarm::default();
    // One wait for all requests: to begin one takes a lock.
    let mut told = shutdown.clone();
    let mut leaving = pin!(begins(&mut told));
    loop {
        let begun = tokio::select! {
            biased;
            begun = begin_head(&mut connection, &mut idle) => begun,
            () = &mut leaving => false,
        };
        if !begun {
            return;
        }
        let mut head = match read_head(&mut connection).await {
            Head::Complete(head) => head,
            Head::Closed => return,
            Head::Refused(why, since) => {
                return Box::pin(refuse(&proxy, connection, why, since)).await;
            }
        };
        let limits = connection.facts().settings.limits;
        if let Err(refused) = head::check(&head, &limits.head) {
            *connection.unread() = head;
            let why = Reason::Head(refused);
            return Box::pin(refuse(&proxy, connection, why, Duration::ZERO)).await;
        }
        connection.start_message(head.len(), framing::request_body(&head));
        if let Some(rewritten) = head::in_origin_form(&head) {
            head = BytesMut::from(&rewritten[..]);
        }
        requests = requests.saturating_add(1);
        let is_last = limits
            .requests_per_connection
            .is_some_and(|most| requests >= most);
        let served = serve_one(&proxy, connection, &shutdown, head, is_last).await;
        let Some(kept) = served.and_then(connection_of) else {
            return;
        };
        connection = kept;
    }
}

enum Head {
    /// The head with the empty line that ends it.
    Complete(BytesMut),
    /// The client went away before it had sent any.
    Closed,
    /// The head was too slow or too large, or broke off, so long after its first byte.
    Refused(Reason, Duration),
}

/// Waits for the first bytes of a head. False: the client went away, or was silent for too long.
async fn begin_head<S: Socket>(connection: &mut Connection<S>, idle: &mut Alarm) -> bool {
    if !connection.unread().is_empty() {
        return true;
    }
    let until = Instant::now() + connection.facts().settings.timeouts.idle;
    tokio::select! {
        biased;
        read = connection.read_more() => matches!(read, Ok(true)),
        () = idle.at(until) => false,
    }
}

/// Reads a head that has begun: whoever is sending one is not left in the middle of it.
async fn read_head<S: Socket>(connection: &mut Connection<S>) -> Head {
    // Nearly every head arrives in one piece: the timer is only made for those that do not.
    if let Some(head) = take_head(connection) {
        return head;
    }
    let began = Instant::now();
    let limit = connection.facts().settings.timeouts.header;
    let rest = timeout(limit, read_rest_of_head(connection));
    match Box::pin(rest).await {
        Ok(Head::Refused(why, _)) => Head::Refused(why, began.elapsed()),
        Ok(head) => head,
        Err(_) => Head::Refused(Reason::HeadTooSlow, began.elapsed()),
    }
}

async fn read_rest_of_head<S: Socket>(connection: &mut Connection<S>) -> Head {
    loop {
        match connection.read_more().await {
            Ok(true) => {}
            Ok(false) | Err(_) if connection.unread().is_empty() => return Head::Closed,
            Ok(false) | Err(_) => return Head::Refused(Reason::HeadBrokeOff, Duration::ZERO),
        }
        if let Some(head) = take_head(connection) {
            return head;
        }
    }
}

fn take_head<S: Socket>(connection: &mut Connection<S>) -> Option<Head> {
    let limits = connection.facts().settings.limits.head;
    let unread = connection.unread();
    // Empty lines before a request are to be ignored (RFC 9112 §2.2).
    while unread.starts_with(b"\r\n") {
        unread.advance(2);
    }
    match framing::head_length(unread) {
        Some(length) if length <= limits.bytes => {
            let head = unread.split_to(length);
            if unread.is_empty() {
                // It would keep the head's place until the next one comes.
                *unread = BytesMut::new();
            }
            Some(Head::Complete(head))
        }
        None if unread.len() <= limits.bytes => None,
        _ => {
            let why = Reason::Head(head::too_large(unread, &limits));
            Some(Head::Refused(why, Duration::ZERO))
        }
    }
}

/// Has Pingora serve one request. The future does not hold the session, which is large: Pingora has it in a place of its own.
fn serve_one<'a, S: Socket>(
    proxy: &'a HttpProxy,
    connection: Box<Connection<S>>,
    shutdown: &'a ShutdownWatch,
    head: BytesMut,
    is_last: bool,
) -> impl Future<Output = Option<ReusedHttpStream>> + Send + 'a {
    let facts = Arc::clone(connection.facts());
    let version = request_line::version(&head);
    let mut session = ServerSession::new_http1(connection);
    // The head is here, so that this is only what the answer may be told of.
    session.set_keepalive(Some(KEEPALIVE));
    if is_last {
        session.set_keepalive_reuses_remaining(Some(0));
    }
    session.set_connection_user_context(Some(Box::new(facts)));
    session.set_pipelined_prefix(head);
    proxy.serve(session, version, shutdown)
}

/// The connection behind the stream that Pingora gives back.
fn connection_of<S: Socket>(reused: ReusedHttpStream) -> Option<Box<Connection<S>>> {
    let (stream, _) = reused.consume();
    stream.into_any().downcast().ok()
}

/// Answers a head that Pingora never sees, which stands unread, and closes. Its first byte came so long ago.
pub(super) async fn refuse<S: Socket>(
    proxy: &HttpProxy,
    mut connection: Box<Connection<S>>,
    why: Reason,
    since: Duration,
) {
    let facts = Arc::clone(connection.facts());
    let head = std::mem::take(connection.unread());
    let asked = Asked {
        line: request_line::read(&head),
        bytes: head.len() as u64,
        since,
        ..Asked::default()
    };
    let status = why.status().filter(|_| why != Reason::HeadBrokeOff);
    let Some(status) = status else {
        return proxy
            .reporter()
            .report(facts.origin(), why, &asked, &Sent::default());
    };
    let (answer, sent) = proxy.reporter().answer(status, why.sentence());
    // The client may have sent more than was read. Closing on that would reset the connection, and could take the answer with it, so what
    // still comes is read for a moment.
    let deadline = Instant::now() + LINGER;
    let told = async {
        connection.write_all(&answer).await?;
        connection.shutdown().await
    };
    let told = timeout_at(deadline, told).await;
    let was_told = matches!(told, Ok(Ok(())));
    let sent = if was_told { sent } else { Sent::default() };
    proxy.reporter().report(facts.origin(), why, &asked, &sent);
    let rest = async {
        while connection.read_more().await? {
            connection.unread().clear();
        }
        std::io::Result::Ok(())
    };
    if was_told {
        let _ = timeout_at(deadline, rest).await;
    }
}

/// Returns when clients are to leave.
pub(super) async fn begins(shutdown: &mut ShutdownWatch) {
    // An error means that the sender is gone, and the listener with it.
    let _ = shutdown.wait_for(|stopping| *stopping).await;
}
