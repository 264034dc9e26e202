//! The command line: what was typed, and whom to ask. No logic lives here.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::clock::{Clock, SystemClock};
use crate::config::{self, Checked, Config, Vocabulary};
use crate::explain::{self, Question};
use crate::observe::process_log;
use crate::server::{self, Source};

/// Wrong usage, or a configuration that cannot be used.
const WRONG: u8 = 2;
/// Something failed while running.
const FAILED: u8 = 1;

/// A programmable HTTP load balancer.
#[derive(Debug, Parser)]
#[command(name = "evenkeel", version, about, disable_help_subcommand = true)]
struct Cli {
    /// The configuration file
    #[arg(short, long = "config", value_name = "FILE", global = true)]
    config: Option<PathBuf>,

    /// Check the configuration file and exit
    #[arg(short, long)]
    test: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the configuration file and exit
    Check,
    /// Say where a request would go, and why; no backend is asked
    Explain(Explain),
    /// Print the JSON Schema of the configuration file, for editors
    Schema,
}

#[derive(Debug, clap::Args)]
struct Explain {
    /// The request, such as 'GET http://example.com/path?x=1'
    #[arg(value_name = "REQUEST")]
    request: String,

    /// A header line of the request; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,

    /// Where its connection comes from; 127.0.0.1 when it is not said
    #[arg(long, value_name = "IP[:PORT]")]
    from: Option<String>,

    /// Print one JSON object, for programs
    #[arg(long)]
    json: bool,
}

/// Runs the command that was typed, with the words that the program adds to the file; the exit status is 0 when all is well, 1 when running failed, 2 for wrong usage or configuration.
pub fn main(vocabulary: &Vocabulary) -> ExitCode {
    let cli = Cli::parse();
    match (&cli.command, cli.test) {
        (Some(Command::Schema), _) => schema(vocabulary),
        (Some(Command::Explain(asked)), _) => {
            with_config(&cli, vocabulary, |_, config| explain(asked, config))
        }
        (Some(Command::Check), _) | (None, true) => with_config(&cli, vocabulary, check),
        (None, false) => with_config(&cli, vocabulary, |path, config| {
            run(path, config, vocabulary)
        }),
    }
}

fn with_config(
    cli: &Cli,
    vocabulary: &Vocabulary,
    then: impl FnOnce(&Path, Checked<Config>) -> ExitCode,
) -> ExitCode {
    let Some(path) = &cli.config else {
        let usage = Cli::command().render_usage();
        return complain(
            WRONG,
            &format!("which configuration? Name it: -c FILE\n\n{usage}"),
        );
    };
    match config::load_with(path, vocabulary) {
        Ok(config) => then(path, config),
        Err(faults) => complain(WRONG, &faults.to_string()),
    }
}

fn check(path: &Path, config: Checked<Config>) -> ExitCode {
    for warning in config.warnings(SystemClock.wall()) {
        complain(0, &format!("{}: warning: {warning}", path.display()));
    }
    say(&format!("{}: the configuration is good", path.display()))
}

fn run(path: &Path, config: Checked<Config>, vocabulary: &Vocabulary) -> ExitCode {
    process_log::follow(&config.log.level);
    let source = Source {
        path: path.to_owned(),
        vocabulary: vocabulary.clone(),
    };
    match server::run(config, source) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let lines = error.to_string().replace('\n', "\nevenkeel: ");
            complain(FAILED, &format!("evenkeel: {lines}"))
        }
    }
}

fn explain(asked: &Explain, config: Checked<Config>) -> ExitCode {
    let question = Question::read(&asked.request, &asked.headers, asked.from.as_deref());
    let question = match question {
        Ok(question) => question,
        Err(unclear) => return complain(WRONG, &format!("evenkeel explain: {unclear}")),
    };
    // What is said of names that do not resolve belongs to the explanation.
    process_log::log_with("off,evenkeel=warn");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let explanation = match runtime {
        Ok(runtime) => runtime.block_on(explain::explain_file(config, &question)),
        Err(error) => return complain(FAILED, &format!("evenkeel: {error}")),
    };
    match asked.json {
        true => say(&serde_json::to_string_pretty(&explanation).unwrap_or_default()),
        false => say(explanation.to_string().trim_end()),
    }
}

fn schema(vocabulary: &Vocabulary) -> ExitCode {
    say(&format!("{:#}", config::schema_with(vocabulary)))
}

/// To standard output; a reader that went away is no failure.
fn say(text: &str) -> ExitCode {
    let _ = writeln!(std::io::stdout(), "{text}");
    ExitCode::SUCCESS
}

fn complain(status: u8, text: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
    ExitCode::from(status)
}
