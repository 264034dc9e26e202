//! Whom Evenkeel is measured against, as a table: configuration, command, and how each is told of HTTP/2 backends.
//!
//! Each is set up as for production, and equal in work: two backends in turn, connections to them kept, X-Real-IP, X-Forwarded-For and
//! -Proto, a line of access log for each request in a file, and health checks where it has them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Process, free_ports, pinned};
use crate::scenarios::{Backends, Scenario};
use crate::tools::Tools;

pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    /// Name and text of its configuration.
    conf: (&'static str, &'static str),
    /// What stands for `@backend_protocol@` with backends of HTTP/1, and of HTTP/2 if it can speak that.
    protocols: (&'static str, Option<&'static str>),
    /// The access log, or `off`: among the files in its folder; what is written to stdout or stderr is in the files of these names.
    log: &'static str,
    /// Measured in this scenario alone.
    only: Option<&'static str>,
    /// Knows nothing of HTTP, so backends are spoken to in what the client speaks.
    pub(crate) is_relay: bool,
}

pub(crate) const CONTESTANTS: [Contestant; 8] = [
    Contestant {
        name: "evenkeel",
        program: "evenkeel",
        arguments: &["-c", "evenkeel.yaml"],
        conf: ("evenkeel.yaml", include_str!("conf/evenkeel.yaml")),
        // A check with `http` speaks HTTP/1.1, which these backends of HTTP/2 do not.
        protocols: (
            "http1\n    health_check: { http: { path: /health } }",
            Some("http2\n    health_check: { tcp: {} }"),
        ),
        log: "access.log",
        only: None,
        is_relay: false,
    },
    // The difference is what the access log costs.
    Contestant {
        name: "evenkeel without a log",
        program: "evenkeel",
        arguments: &["-c", "evenkeel.yaml"],
        conf: ("evenkeel.yaml", include_str!("conf/evenkeel.yaml")),
        protocols: ("http1\n    health_check: { http: { path: /health } }", None),
        log: "off",
        only: Some("small"),
        is_relay: false,
    },
    Contestant {
        name: "stock Pingora",
        program: "stock_pingora",
        arguments: &[
            "127.0.0.1:@port@",
            "127.0.0.1:@tls_port@",
            "@certificate@",
            "@key@",
            "@workers@",
            "@backend_protocol@",
            "127.0.0.1:@origin_a@",
            "127.0.0.1:@origin_b@",
        ],
        conf: ("none", ""),
        protocols: ("http1", Some("http2")),
        log: "stderr",
        only: None,
        is_relay: false,
    },
    Contestant {
        name: "nginx",
        program: "nginx",
        arguments: &[
            "-e",
            "stderr",
            "-p",
            "@folder@",
            "-c",
            "@folder@/nginx.conf",
        ],
        conf: ("nginx.conf", include_str!("conf/nginx.conf")),
        protocols: ("", None),
        log: "access.log",
        only: None,
        is_relay: false,
    },
    Contestant {
        name: "HAProxy",
        program: "haproxy",
        arguments: &["-db", "-f", "haproxy.cfg"],
        conf: ("haproxy.cfg", include_str!("conf/haproxy.cfg")),
        protocols: ("", Some("proto h2")),
        log: "stdout",
        only: None,
        is_relay: false,
    },
    Contestant {
        name: "Envoy",
        program: "envoy",
        arguments: &[
            "-c",
            "envoy.yaml",
            "--concurrency",
            "@workers@",
            "--disable-hot-restart",
            "-l",
            "warn",
        ],
        conf: ("envoy.yaml", include_str!("conf/envoy.yaml")),
        protocols: ("http_protocol_options", Some("http2_protocol_options")),
        log: "access.log",
        only: None,
        is_relay: false,
    },
    Contestant {
        name: "Caddy",
        program: "caddy",
        arguments: &["run", "--config", "Caddyfile", "--adapter", "caddyfile"],
        conf: ("Caddyfile", include_str!("conf/Caddyfile")),
        protocols: ("1.1", Some("h2c 2")),
        log: "access.log",
        only: None,
        is_relay: false,
    },
    Contestant {
        name: "floor",
        program: "haproxy",
        arguments: &["-db", "-f", "floor.cfg"],
        conf: ("floor.cfg", include_str!("conf/floor.cfg")),
        protocols: ("", Some("")),
        log: "stdout",
        only: None,
        is_relay: true,
    },
];

/// What the placeholders of a configuration stand for.
pub(crate) type Words = Vec<(&'static str, String)>;

/// A contestant at work.
pub(crate) struct Running {
    pub(crate) contestant: &'static Contestant,
    pub(crate) process: Process,
    pub(crate) port: u16,
    pub(crate) tls_port: u16,
    folder: PathBuf,
}

impl Contestant {
    pub(crate) fn takes_part(&self, scenario: &Scenario) -> bool {
        self.only.is_none_or(|name| name == scenario.name)
    }

    pub(crate) fn can(&self, backends: Backends) -> bool {
        backends != Backends::Http2 || self.protocols.1.is_some()
    }

    /// Starts it; `words` are those of the origin and the certificate.
    pub(crate) fn start(
        &'static self,
        tools: &Tools,
        backends: Backends,
        words: &Words,
        workers: usize,
        cpus: &str,
    ) -> Running {
        let folder = tools.folder.join("run").join(self.name.replace(' ', "_"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("temporary")).unwrap();
        let [port, tls_port] = free_ports();
        let mut words = words.clone();
        words.extend(self.words(backends, &folder, [port, tls_port], workers));
        fs::write(folder.join(self.conf.0), fill_in(self.conf.1, &words)).unwrap();
        let mut command: Command = pinned(cpus, tools.path(self.program));
        command.args(
            self.arguments
                .iter()
                .map(|argument| fill_in(argument, &words)),
        );
        // Go's way of saying how many threads run at a time.
        command.env("GOMAXPROCS", workers.to_string());
        // Where Caddy would keep what it has been told.
        command
            .env("XDG_CONFIG_HOME", &folder)
            .env("XDG_DATA_HOME", &folder);
        Running {
            contestant: self,
            process: Process::start(command, &folder, "stdout", "stderr"),
            port,
            tls_port,
            folder,
        }
    }

    fn words(&self, backends: Backends, folder: &Path, ports: [u16; 2], workers: usize) -> Words {
        let (http1, http2) = self.protocols;
        let protocol = if backends == Backends::Http2 {
            http2.unwrap_or_default()
        } else {
            http1
        };
        vec![
            ("@folder@", folder.display().to_string()),
            ("@port@", ports[0].to_string()),
            ("@tls_port@", ports[1].to_string()),
            ("@log@", self.log.to_owned()),
            ("@workers@", workers.to_string()),
            ("@backend_protocol@", protocol.to_owned()),
        ]
    }
}

impl Running {
    /// Stops it: how many requests then stand in its log. None is asked of a relay, which has a line for each connection, nor of who has no
    /// log.
    pub(crate) fn logged_at_the_end(self) -> Option<u64> {
        drop(self.process);
        let file = self.folder.join(self.contestant.log);
        let text = fs::read(&file).unwrap_or_default();
        let lines = text.iter().filter(|byte| **byte == b'\n').count() as u64;
        // They are large.
        let _ = fs::remove_file(file);
        (!self.contestant.is_relay && self.contestant.log != "off").then_some(lines)
    }

    /// What it said, for whoever wants to know why it does not run.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read(self.folder.join("stderr")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.lines().last().unwrap_or_default().to_owned()
    }
}

pub(crate) fn fill_in(text: &str, words: &Words) -> String {
    let mut text = text.to_owned();
    for (word, meaning) in words {
        text = text.replace(word, meaning);
    }
    text
}

/// That no placeholder is left, in any configuration: what can be told without the programs.
pub(crate) fn fill_in_all() {
    let common = crate::origin::words([1, 2], Path::new("/folder"));
    for contestant in &CONTESTANTS {
        let mut words = common.clone();
        words.extend(contestant.words(Backends::Fast, Path::new("/folder"), [3, 4], 1));
        let text =
            fill_in(contestant.conf.1, &words) + &fill_in(&contestant.arguments.join(" "), &words);
        assert!(
            !text.contains("@origin") && !text.contains("port@") && !text.contains("@certificate"),
            "{text}"
        );
        println!(
            "{}: {} lines of configuration",
            contestant.name,
            text.lines().count()
        );
    }
}
