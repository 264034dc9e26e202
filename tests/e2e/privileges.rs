//! Whose rights the process has. What only root can see is seen where the tests run as root, as in CI; elsewhere the refusal is.

use std::fs::{self, Permissions};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use crate::support::{Authority, Proxy, evenkeel, get, output_of, write_file};

/// A user that every system has, and its number.
const NOBODY: (&str, u32) = ("nobody", 65534);

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

fn serving(server: &str, listeners: &str) -> String {
    format!(
        "server: {server}\nlisteners: [{listeners}]\nroutes: [{{ respond: {{ status: 200, body: here }} }}]\n"
    )
}

const ANYWHERE: &str = "{ address: 127.0.0.1:0 }";

/// What the kernel says of the process.
fn status(proxy: &Proxy, key: &str) -> Vec<String> {
    let all = fs::read_to_string(format!("/proc/{}/status", proxy.id())).unwrap();
    let line = all.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim_start_matches(':')
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

/// An address with a port that only root may listen on.
fn low() -> SocketAddr {
    let mut ports = (600..1024).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    ports
        .find(|address| TcpListener::bind(address).is_ok())
        .unwrap()
}

#[test]
fn root_becomes_the_user_of_the_file_and_keeps_one_right() {
    let file = |more: &str| serving("{ user: nobody }", &format!("{ANYWHERE}{more}"));
    if !is_root() {
        let output = refused(&file(""), |_| {});
        assert!(
            output.contains("only root can become \"nobody\""),
            "{output}"
        );
        return;
    }
    let proxy = Proxy::start_with(&file(""), |command| {
        let folder = command.get_current_dir().unwrap();
        fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    });
    let number = NOBODY.1.to_string();
    assert!(status(&proxy, "Uid").iter().all(|uid| *uid == number));
    assert!(!status(&proxy, "Groups").contains(&"0".to_owned()));
    assert!(!status(&proxy, "Gid").contains(&"0".to_owned()));
    // CAP_NET_BIND_SERVICE is the eleventh.
    for set in ["CapEff", "CapPrm"] {
        let rights = u64::from_str_radix(&status(&proxy, set)[0], 16).unwrap();
        assert_eq!(rights & !(1 << 10), 0, "{set}");
    }
    assert_eq!(status(&proxy, "NoNewPrivs"), ["1"]);
    assert_eq!(proxy.get("/").text(), "here");
    let more = low();
    let line = proxy.reload(&file(&format!(", {{ address: {more} }}")));
    assert!(line.contains("added"), "{line}");
    assert_eq!(get(more, "/").text(), "here");
}

/// What a process says that does not come to serve.
fn refused(configuration: &str, prepare: impl FnOnce(&mut std::process::Command)) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let mut command = evenkeel();
    command
        .arg("-c")
        .arg(write_file(folder.path(), configuration));
    prepare(&mut command);
    let output = output_of(command);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_user_that_does_not_exist_ends_the_program_with_what_to_do() {
    let output = refused(&serving("{ user: nobody-of-this-name }", ANYWHERE), |_| {});
    assert!(
        output.contains("this system has no user \"nobody-of-this-name\"; add it"),
        "{output}"
    );
}

#[test]
fn who_is_not_root_cannot_become_somebody_else() {
    // The program must be where that user may go.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("evenkeel");
    fs::copy(evenkeel().get_program(), &program).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let file = write_file(folder.path(), &serving("{ user: root }", ANYWHERE));
    let mut command = std::process::Command::new(program);
    command.arg("-c").arg(file).env_clear();
    if is_root() {
        command.uid(NOBODY.1);
    }
    let output = output_of(command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("only root can become \"root\""), "{said}");
}

#[test]
fn root_that_goes_on_serving_is_warned_of_once() {
    let proxy = Proxy::start(&serving("{ threads: 1 }", ANYWHERE));
    proxy.reload(&serving("{ threads: 1 }", ANYWHERE));
    let lines = proxy.stderr.all();
    let warned = lines
        .iter()
        .filter(|line| line.contains("serving as root; name a user in `server.user`"));
    assert_eq!(warned.count(), usize::from(is_root()));
}

#[test]
fn a_private_key_that_everybody_may_read_is_warned_of() {
    let certificate = Authority::new("our authority").issue(&["a.test"]);
    let tls = "{ address: 127.0.0.1:0, tls: { certificates: [{ cert: a.pem, key: a.key }] } }";
    let start = |mode: u32| {
        Proxy::start_with(&serving("{ threads: 1 }", tls), |command| {
            let folder = command.get_current_dir().unwrap();
            fs::write(folder.join("a.pem"), certificate.pem()).unwrap();
            fs::write(folder.join("a.key"), certificate.key_pem()).unwrap();
            fs::set_permissions(folder.join("a.key"), Permissions::from_mode(mode)).unwrap();
        })
    };
    let is_warned = |proxy: &Proxy| {
        let lines = proxy.stderr.all();
        lines
            .iter()
            .any(|line| line.contains("a.key: everybody on this machine may read this private key"))
    };
    assert!(is_warned(&start(0o644)));
    assert!(!is_warned(&start(0o640)));
}
