//! The program itself, and what it wrote.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use tokio::time::sleep;

use crate::backend::Backend;

const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(2);

pub(crate) struct Proxy {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
    log: Arc<Mutex<Vec<String>>>,
}

/// One request, from the access log.
pub(crate) struct Line {
    /// Seconds since 1970.
    pub(crate) began: f64,
    pub(crate) number: usize,
    pub(crate) status: u64,
    /// The backends that were asked.
    pub(crate) tried: String,
}

impl Proxy {
    pub(crate) async fn start(backends: &[Backend; 3], keys: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let [a, b, c] = backends.each_ref().map(Backend::address);
        let file = format!(
            "listeners: [{{ address: 127.0.0.1:0 }}]\naccess_log: {{ path: access.log }}\n\
             upstreams:\n  web:\n    backends: [{a}, {b}, {c}]\n    {keys}\nroutes: [{{ upstream: web }}]\n"
        );
        fs::write(folder.path().join("evenkeel.yaml"), file).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
            .args(["-c", "evenkeel.yaml"])
            .current_dir(folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::<Mutex<Vec<String>>>::default();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let lines = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let mut proxy = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            folder,
            log,
        };
        let line = proxy.log_line("listening on ").await.unwrap();
        let (_, address) = line.split_once("listening on ").unwrap();
        proxy.address = address.parse().unwrap();
        proxy
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Now, as the access log counts.
    #[expect(
        clippy::disallowed_methods,
        reason = "compared with what the program logs"
    )]
    pub(crate) fn now(&self) -> f64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap().as_secs_f64()
    }

    /// The first line of the log with these words, if it comes in time.
    pub(crate) async fn log_line(&self, words: &str) -> Option<String> {
        let mut waited = Duration::ZERO;
        while waited < PATIENCE {
            let found = self.lines(words).into_iter().next();
            if found.is_some() {
                return found;
            }
            sleep(PAUSE).await;
            waited += PAUSE;
        }
        None
    }

    pub(crate) fn count(&self, words: &str) -> usize {
        self.lines(words).len()
    }

    fn lines(&self, words: &str) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter()
            .filter(|line| line.contains(words))
            .cloned()
            .collect()
    }

    /// The access log, once so many requests stand in it.
    pub(crate) async fn access_log(&self, requests: usize) -> Vec<Line> {
        let path = self.folder.path().join("access.log");
        let mut text = String::new();
        for _ in 0..2_000 {
            text = fs::read_to_string(&path).unwrap();
            if text.lines().count() >= requests {
                break;
            }
            sleep(PAUSE).await;
        }
        let lines: Vec<_> = text.lines().map(read).collect();
        assert_eq!(
            lines.len(),
            requests,
            "void: requests are missing in the access log"
        );
        lines
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(line: &str) -> Line {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    let seconds = line["request_time"].as_f64().unwrap();
    let ended = line["msec"].as_f64().unwrap();
    Line {
        number: line["request_uri"].as_str().unwrap()[1..].parse().unwrap(),
        began: ended - seconds,
        status: line["status"].as_u64().unwrap(),
        tried: line["upstream_addr"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    }
}
