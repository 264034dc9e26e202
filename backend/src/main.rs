//! The command `hello`: the library's service with the host name or `--name`, until SIGTERM or SIGINT. With
//! `--check URL` it is its own health check, because a small image has no curl for Docker's `HEALTHCHECK`.

use clap::Parser;
use hello::Options;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

mod check;

/// A demo service: says hello at /, shows the request as it arrived at /headers, is well at /health.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// What / says as hostname [default: the host name].
    #[arg(long)]
    name: Option<String>,
    /// Ask this URL instead of serving: exit 0 when it answers 2xx within 2 s, 1 when not.
    #[arg(long, value_name = "URL", conflicts_with_all = ["listen", "name"])]
    check: Option<check::Url>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = tokio::runtime::Runtime::new()
        .map_err(|error| format!("cannot start: {error}"))
        .and_then(|runtime| {
            let outcome = runtime.block_on(run(arguments));
            // A name that is still being looked up must not hold up the exit.
            runtime.shutdown_background();
            outcome
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say(&format!("hello: {message}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), String> {
    match arguments.check {
        Some(url) => check::check(&url).await,
        None => serve(arguments.listen, arguments.name).await,
    }
}

async fn serve(listen: SocketAddr, name: Option<String>) -> Result<(), String> {
    let cannot_wait = |error| format!("cannot wait for signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot_wait)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot_wait)?;
    let mut options = Options::default().address(listen);
    if let Some(name) = name {
        options = options.name(name);
    }
    let hello = hello::spawn(options)
        .await
        .map_err(|error| format!("cannot listen on {listen}: {error}; {}", remedy(&error)))?;
    say(&format!(
        "hello {} listening on {}",
        hello.name(),
        hello.address()
    ));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    hello.stop().await;
    Ok(())
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "stop what listens there, or choose another port with --listen",
        io::ErrorKind::PermissionDenied => "choose a port above 1023 with --listen",
        io::ErrorKind::AddrNotAvailable => {
            "choose an address of this machine with --listen, 127.0.0.1 or 0.0.0.0 for instance"
        }
        _ => "choose another address with --listen",
    }
}

/// A line to stderr. That nobody reads it is no reason to stop, which `eprintln!` would do.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
