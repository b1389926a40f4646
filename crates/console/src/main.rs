//! `sftpctl-console`, a web page for the helpdesk in front of `sftpctl`. `sftpctl console` runs this program, which it
//! finds beside itself or on the `PATH`.
//!
//! It knows nothing of AWS: every answer is the output of a command of `sftpctl`, which it starts as a process of its
//! own, so that it has the credentials, the permissions and the words of the command line. It listens on 127.0.0.1
//! alone.

mod ask;
mod commands;
mod guard;
mod page;
mod serve;
mod token;
mod words;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use sftpctl_core::shown::Text;

use self::commands::Commands;
use self::serve::{Console, End};
use self::token::Token;

/// Exit code for a console that does not start, as in `sftpctl`.
const FAILED: u8 = 2;

/// The web page of `sftpctl console`, which starts this program
#[derive(Debug, Parser)]
#[command(name = "sftpctl-console", version = env!("SFTPCTL_VERSION"))]
pub(crate) struct Arguments {
    /// The program `sftpctl`
    #[arg(long, value_name = "PATH")]
    program: PathBuf,
    /// The environment's name, for the page
    #[arg(long, value_name = "NAME")]
    environment: String,
    /// Where the state is, for the commands that read it
    #[arg(long, value_name = "PLACE")]
    state: Option<OsString>,
    /// Admit changes
    #[arg(long)]
    write: bool,
    /// The port on 127.0.0.1; 0 for a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Print the address as JSON
    #[arg(long)]
    json: bool,
    /// The arguments of every command: the environment and where AWS is
    #[arg(last = true, value_name = "ARGUMENTS", required = true)]
    words: Vec<OsString>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let is_json = arguments.json;
    let Err(StartError { message, hint }) = run(arguments).await else { return ExitCode::SUCCESS };
    if is_json {
        print(&Text::json(&serde_json::json!({
            "schema": "sftpctl/error/1", "error": message, "causes": [], "hint": hint, "exitCode": FAILED,
        })));
    } else {
        say(&format!("error: {message}"));
        say(&format!("hint: {hint}"));
    }
    ExitCode::from(FAILED)
}

/// Why the console does not start.
#[derive(Debug)]
pub(crate) struct StartError {
    message: String,
    hint: String,
}

async fn run(arguments: Arguments) -> Result<(), StartError> {
    // Whoever reads the address may end the console at once.
    let end = End::on_signals()?;
    let listener = serve::listen(arguments.port).await?;
    let port = listener.local_addr().map(|address| address.port()).map_err(|error| StartError {
        message: format!("cannot listen on 127.0.0.1: {error}"),
        hint: "rerun the command".to_owned(),
    })?;
    let token = Token::random();
    let address = token.address(port);
    if arguments.json {
        let line = serde_json::json!({
            "schema": "sftpctl/console/1", "environment": arguments.environment, "address": address,
            "write": arguments.write,
        });
        print(&Text::json(&line));
    } else {
        print(&Text::from(&address));
        say(&format!("The console of environment {}, for you on this machine. Ctrl-C ends it.", arguments.environment));
        say(if arguments.write {
            "It can change accounts and bans, with your credentials. Whoever has the address can, too: do not share it."
        } else {
            "It changes nothing; with --write it can reset passwords, disable accounts and end bans."
        });
    }
    let console = Console {
        port,
        token,
        environment: arguments.environment,
        is_writable: arguments.write,
        commands: Commands::new(arguments.program, arguments.words, arguments.state),
    };
    serve::run(console, listener, end).await;
    Ok(())
}

/// Writes a line to stdout. A closed pipe is not an error.
fn print(text: &Text) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// Writes a line to stderr.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", Text::from(line));
}
