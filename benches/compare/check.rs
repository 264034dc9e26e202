//! That everybody does the work it is measured at: the right answer, and the headers that backends are to be sent.

use std::net::IpAddr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use crate::contestants::Running;
use crate::origin::{LARGE, SMALL};
use crate::scenarios::{Backends, Load, Scenario};

const PATIENCE: Duration = Duration::from_secs(15);

/// Waits until the answer is right; the last fault if it does not become so. The second figure is how many requests this took.
pub(crate) fn check(running: &mut Running, scenario: &Scenario) -> (Result<(), String>, u64) {
    let began = Instant::now();
    let mut asked = 0;
    loop {
        let fault = match fault(running, scenario, &mut asked) {
            None => return (Ok(()), asked),
            Some(fault) => fault,
        };
        if running.process.has_ended() {
            return (
                Err(format!("it has ended: {}", running.last_words())),
                asked,
            );
        }
        if began.elapsed() > PATIENCE {
            return (Err(format!("{fault}; {}", running.last_words())), asked);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn fault(running: &Running, scenario: &Scenario, asked: &mut u64) -> Option<String> {
    let (scheme, port) = if scenario.tls {
        ("https", running.tls_port)
    } else {
        ("http", running.port)
    };
    let base = format!("{scheme}://127.0.0.1:{port}");
    let (status, body) = ask(&format!("{base}{}", scenario.path), scenario);
    *asked += u64::from(status != "000");
    if status != "200" {
        return Some(format!("status {status}"));
    }
    let is_right = match scenario.path {
        "/large" => body.len() == LARGE && body.bytes().all(|byte| byte == b'x'),
        _ => body == SMALL,
    };
    if !is_right {
        return Some(format!("{} bytes of another answer", body.len()));
    }
    if running.contestant.is_relay || scenario.backends == Backends::Slow {
        return None;
    }
    let (_, seen) = ask(
        &format!("{base}/headers"),
        &Scenario {
            upload: false,
            ..*scenario
        },
    );
    *asked += 1;
    let words: Vec<&str> = seen.split_whitespace().collect();
    let is_right = match words[..] {
        // Envoy says its own address in X-Forwarded-For when the client is on the same machine.
        [host, client, chain, proto] => {
            host == format!("127.0.0.1:{port}")
                && client == "127.0.0.1"
                && chain.parse::<IpAddr>().is_ok()
                && proto == scheme
        }
        _ => false,
    };
    (!is_right).then(|| {
        format!("the backend sees {seen:?} of Host, X-Real-IP, X-Forwarded-For and -Proto")
    })
}

/// Status and body.
fn ask(url: &str, scenario: &Scenario) -> (String, String) {
    let version = if scenario.load == Load::Http2 {
        "--http2"
    } else {
        "--http1.1"
    };
    let mut command = Command::new("curl");
    command.args([
        "-q",
        "-sk",
        "--noproxy",
        "*",
        "--max-time",
        "5",
        version,
        "-w",
        "%{http_code}",
    ]);
    if scenario.upload {
        command.args(["--data-binary", "@-", "-H", "Expect:"]);
        command.stdin(std::fs::File::open(crate::generators::upload_file()).unwrap());
    }
    let output = command.arg(url).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = text
        .split_at_checked(text.len().saturating_sub(3))
        .unwrap_or_default();
    (status.to_owned(), body.to_owned())
}
