use std::net::{SocketAddr, TcpListener};

use super::*;
use crate::clock::{Clock, SystemClock};
use crate::upstream::Resolver;
use crate::upstream::heritage::Heritage;
use crate::upstream::peer::Peers;
use crate::upstream::roster::Rules;

const DEADLINE: Duration = Duration::from_secs(20);

/// An upstream whose next check is an hour away.
fn configured(backend: SocketAddr) -> config::Upstream {
    let file = format!(
        "
listeners:
  - address: 127.0.0.1:0
upstreams:
  hello:
    backends: [{backend}]
    health_check: {{ tcp: {{}}, interval: 1h }}
routes:
  - upstream: hello
"
    );
    let config = config::parse("test", &file, &|_| None);
    let upstreams = config.unwrap().into_inner().upstreams;
    upstreams.into_iter().next().unwrap()
}

fn upstream(config: &config::Upstream) -> Arc<Upstream> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let resolver = Arc::new(Resolver::new(config::Resolver::default()));
    Arc::new(Upstream::new(config.clone(), &clock, &resolver))
}

struct Watched {
    config: config::Upstream,
    roster: Arc<Roster>,
    watch: Watch,
}

fn watched() -> Watched {
    let config = configured(SocketAddr::from(([127, 0, 0, 1], 1)));
    let roster = Roster::new(
        Rules::of(&config),
        Arc::new(SystemClock),
        &Heritage::default(),
    );
    let roster = Arc::new(roster);
    let check = config.health_check.clone().unwrap();
    let of = upstream(&config);
    let watch = Watch::new(of, Arc::clone(&roster), check, Arc::default());
    Watched {
        config,
        roster,
        watch,
    }
}

impl Watched {
    fn backend(&self, listener: &TcpListener) -> Arc<Backend> {
        let address = Address::Inet(listener.local_addr().unwrap());
        let written = &self.config.backends[0];
        let peer = Peers::new(&self.config).template(&self.config, &address, &written.address);
        Arc::new(Backend::new(address, written, peer))
    }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// The watch waits already when the other backend comes. Seen failing with a roster that does not tell when it has changed.
#[tokio::test]
async fn a_backend_that_is_found_while_running_is_checked_at_once() {
    let (first, second) = (listener(), listener());
    let mut watched = watched();
    let (first, second) = (watched.backend(&first), watched.backend(&second));
    watched.roster.publish(vec![Arc::clone(&first)]);
    watched.watch.follow();
    watched.watch.ask_everybody().await;
    assert_eq!(first.health(), Health::Up);
    let found = async {
        let backends = vec![first, Arc::clone(&second)];
        watched.roster.publish(backends);
        while second.health() != Health::Up {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        biased;
        () = watched.watch.keep_asking() => {}
        found = tokio::time::timeout(DEADLINE, found) => found.unwrap(),
    }
}

#[tokio::test]
async fn pingora_s_balancer_knows_what_the_watch_has_found() {
    let listener = listener();
    let address = listener.local_addr().unwrap();
    let upstream = upstream(&configured(address));
    upstream.publish_backends().await;
    let mut watch = upstream.watch(&Arc::default()).unwrap();
    let is_picked = || upstream.pick(b"", &|_| false).is_some();
    assert!(!is_picked(), "before it was asked");
    watch.ask_everybody().await;
    assert!(is_picked());
    for (health, expected) in [(Health::Down, false), (Health::Up, true)] {
        upstream.publish_health(&upstream.backends()[0], health);
        assert_eq!(is_picked(), expected);
    }
}
