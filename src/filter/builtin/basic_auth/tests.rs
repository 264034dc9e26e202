//! Who is let in, at what cost, and what is told of it; the wire is in tests/e2e/basic_auth.rs.

use super::verified::{BELIEVED, KEPT};
use super::*;
use crate::clock::{Clock, SystemClock};
use crate::config::{Filter as Written, Surroundings, Vocabulary};
use crate::filter::example;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Instant;
use tokio::sync::oneshot;

/// `htpasswd -nbB -C 4 alice 'open sesame'`, Apache 2.4.
const ALICE: &str = "alice:$2y$04$4r.DUqHhklt.jt0Z3Qylx.WHdKO5eHUIUz.IOjrY3TryUGlzflX3u";

/// `echo -n 'correct horse' | argon2 somesalt -t 1 -m 8 -p 1 -e`, with `-id`, `-i` and `-d`.
const ARGON2: [&str; 3] = [
    "id:$argon2id$v=19$m=256,t=1,p=1$c29tZXNhbHQ$C1nSQzCTQWzgK9naSl2auLfd0EqDoFwYFGg9v5LwjIc",
    "i:$argon2i$v=19$m=256,t=1,p=1$c29tZXNhbHQ$4ulcyATzQgdlxKDc6ht3BaZ6gXik0N2dIdUF3E4wVaA",
    "d:$argon2d$v=19$m=256,t=1,p=1$c29tZXNhbHQ$Izd9YVmM/Q1Y/v9YzhMeCzd6+72DgXRUeMAorGjV5j8",
];

fn written(users: &str) -> config::BasicAuth {
    let vocabulary = Vocabulary::default();
    let surroundings = Surroundings {
        files: &|_| Ok(users.as_bytes().to_vec()),
        ..Surroundings::nothing_but(&vocabulary)
    };
    let file = "{listeners: [{address: '127.0.0.1:1'}], routes: [{respond: {}}], \
                filters: [{basic_auth: {realm: here, users_file: users}}]}";
    let config = config::parse_with("f", file, &surroundings);
    let config = config.unwrap_or_else(|faults| panic!("{faults}"));
    match config.into_inner().filters.remove(0) {
        Written::BasicAuth(written) => written,
        other => panic!("{other:?}"),
    }
}

fn filter(users: &str) -> BasicAuth {
    BasicAuth::new(&written(users), &Arc::default())
}

/// Requests at a moment that is the test's.
#[derive(Clone, Copy)]
struct Now(Instant);

fn now() -> Now {
    Now(SystemClock.now())
}

impl Now {
    fn later(self, by: Duration) -> Self {
        Now(self.0 + by)
    }

    /// The status of a request with these lines; 200 when it is let pass.
    async fn send(self, filter: &BasicAuth, lines: &[(&'static str, &str)]) -> u16 {
        let sent = example::request("GET", "/", lines);
        let record = example::record(&sent, "/", [192, 0, 2, 1].into());
        let facts = Facts::new(&record, self.0);
        let mut head = RequestHead::new(&sent);
        match soon(filter.request(&mut head, &facts)).await {
            Verdict::Pass => 200,
            Verdict::Answer(answer) => answer.status().as_u16(),
        }
    }

    async fn ask(self, filter: &BasicAuth, name: &str, password: &str) -> u16 {
        let both = BASE64_STANDARD.encode(format!("{name}:{password}"));
        let value = format!("Basic {both}");
        self.send(filter, &[("Authorization", &value)]).await
    }
}

/// A request that waits although it should not fails the test.
async fn soon<T>(asked: impl Future<Output = T>) -> T {
    let answered = tokio::time::timeout(Duration::from_secs(30), asked).await;
    answered.expect("it is made to wait")
}

/// Takes the one place in `hashing` until what is given back is dropped.
async fn occupy(hashing: &Arc<Hashing>) -> mpsc::Sender<()> {
    let (end, ended) = mpsc::channel();
    let (begin, begun) = oneshot::channel();
    let hashing = Arc::clone(hashing);
    let check = move || {
        begin.send(()).unwrap();
        ended.recv().is_ok()
    };
    tokio::spawn(async move { hashing.run(check, || false).await });
    begun.await.unwrap();
    end
}

#[tokio::test]
async fn passwords_are_checked_against_bcrypt_and_every_argon2() {
    let others = ["$2a$", "$2b$"].map(|kind| ALICE.replace("$2y$", kind));
    let [a, b] = others.map(|line| line.replace("alice", &line[7..9]));
    let users = [ALICE, &a, &b].into_iter().chain(ARGON2);
    let filter = filter(&users.collect::<Vec<_>>().join("\n"));
    for (name, password) in [
        ("alice", "open sesame"),
        ("2a", "open sesame"),
        ("2b", "open sesame"),
        ("id", "correct horse"),
        ("i", "correct horse"),
        ("d", "correct horse"),
    ] {
        assert_eq!(now().ask(&filter, name, password).await, 200, "{name}");
        let wrong = format!("{password}.");
        assert_eq!(now().ask(&filter, name, &wrong).await, 401, "{name}");
        assert_eq!(now().ask(&filter, name, "").await, 401, "{name}");
    }
}

/// Seen to fail without `&& is_user`.
#[tokio::test]
async fn somebody_s_password_does_not_let_anybody_else_in() {
    let filter = filter(ALICE);
    for name in ["bob", "", "ALICE", "alice ", "alic"] {
        assert_eq!(now().ask(&filter, name, "open sesame").await, 401, "{name}");
    }
}

/// Seen to fail with a stranger who is refused before a check.
#[tokio::test]
async fn a_name_that_nobody_has_is_checked_like_one_that_somebody_has() {
    let hashing = Arc::new(Hashing::new(1, 0));
    let filter = BasicAuth::new(&written(ALICE), &hashing);
    let _end = occupy(&hashing).await;
    assert_eq!(now().ask(&filter, "alice", "wrong").await, 503);
    assert_eq!(now().ask(&filter, "bob", "wrong").await, 503);
    // There is nothing to check here.
    assert_eq!(now().send(&filter, &[]).await, 401);
    let users = Users::new(&written(&format!("{ALICE}\n{}", ARGON2.join("\n"))).users);
    let chosen = |name: &str| Arc::as_ptr(users.find(name.as_bytes()).unwrap().0);
    assert_eq!(chosen("bob"), chosen("bob"));
    let all: std::collections::HashSet<_> =
        (0..200).map(|number| chosen(&number.to_string())).collect();
    assert_eq!(all.len(), 4, "strangers are spread over all hashes");
}

#[tokio::test]
async fn credentials_in_two_lines_are_none() {
    let filter = filter(ALICE);
    let value = format!("Basic {}", BASE64_STANDARD.encode("alice:open sesame"));
    let line = ("Authorization", value.as_str());
    assert_eq!(now().send(&filter, &[line]).await, 200);
    assert_eq!(now().send(&filter, &[line, line]).await, 401);
}

/// Seen to fail without the note, without the age, and with a proof of the name alone.
#[tokio::test]
async fn good_credentials_are_believed_for_a_while_without_a_check() {
    let hashing = Arc::new(Hashing::new(1, 0));
    let filter = BasicAuth::new(&written(ALICE), &hashing);
    let now = now();
    assert_eq!(now.ask(&filter, "alice", "wrong").await, 401);
    assert_eq!(now.ask(&filter, "alice", "open sesame").await, 200);
    assert_eq!(filter.verified.len(), 1, "only what is good");
    let end = occupy(&hashing).await;
    let almost = now.later(BELIEVED - Duration::from_nanos(1));
    assert_eq!(almost.ask(&filter, "alice", "open sesame").await, 200);
    assert_eq!(almost.ask(&filter, "alice", "wrong").await, 503);
    let later = now.later(BELIEVED);
    assert_eq!(later.ask(&filter, "alice", "open sesame").await, 503);
    drop(end);
}

#[test]
fn only_so_many_credentials_are_kept_and_the_oldest_go_first() {
    let verified = Verified::new();
    let proof = |number: usize| {
        let value = format!("Basic {}", BASE64_STANDARD.encode(format!("a:{number}")));
        verified.proof(&Credentials::parse(value.as_bytes()).unwrap())
    };
    let now = now().0;
    for number in 0..KEPT + 10 {
        verified.note(proof(number), now);
        verified.note(proof(number), now);
    }
    assert_eq!(verified.len(), KEPT);
    assert!(!verified.has(&proof(9), now) && verified.has(&proof(10), now));
}

/// Seen to fail with as many turns as places, and with a thousand places.
#[tokio::test]
async fn so_many_are_checked_at_once_some_wait_and_the_others_are_refused() {
    let hashing = Arc::new(Hashing::new(1, 2));
    let has_ended = Arc::new(AtomicBool::new(false));
    let end = occupy(&hashing).await;
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let (hashing, has_ended) = (Arc::clone(&hashing), Arc::clone(&has_ended));
            let check = move || has_ended.load(Ordering::SeqCst);
            tokio::spawn(async move { hashing.run(check, || false).await })
        })
        .collect();
    // They have to be polled once to stand in the line; if they were let in, they would be checked before others are.
    tokio::task::yield_now().await;
    for _ in 0..10 {
        assert_eq!(Hashing::new(1, 0).run(|| true, || false).await, Ok(true));
    }
    assert_eq!(soon(hashing.run(|| true, || false)).await, Err(Busy));
    has_ended.store(true, Ordering::SeqCst);
    drop(end);
    for task in waiting {
        let outcome = soon(task).await.unwrap();
        assert_eq!(outcome, Ok(true), "it was checked after the first");
    }
    assert_eq!(soon(hashing.run(|| true, || false)).await, Ok(true));
}

#[tokio::test]
async fn a_check_that_was_made_meanwhile_is_not_made_again() {
    let hashing = Arc::new(Hashing::new(1, 1));
    let outcome = hashing.run(|| panic!("made again"), || true).await;
    assert_eq!(outcome, Ok(true));
}

#[test]
fn nothing_that_is_shown_tells_of_users_and_passwords() {
    let written = written(&format!("{ALICE}\n{}", ARGON2[0]));
    let filter = BasicAuth::new(&written, &Arc::default());
    let hashes: Vec<_> = written.users.iter().collect();
    let shown = format!("{written:?} {filter:?}");
    for secret in ["alice", "$2y", "WHdKO5", "argon2", "C1nSQz", "c29tZXNhbHQ"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert_eq!(
        format!(
            "{:?}",
            hashes.iter().map(|(_, hash)| hash).collect::<Vec<_>>()
        ),
        "[Bcrypt, Argon2]"
    );
}
