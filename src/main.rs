//! The command `whylight`.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use whylight::Error;

/// Something failed.
const FAILURE: u8 = 1;
/// The command was called wrongly; clap's own code for it.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let command = match cli::Cli::try_parse() {
        Ok(command) => command,
        // Help and the version come this way, too, and go to stdout.
        Err(message) => {
            let code = if message.use_stderr() { USAGE } else { 0 };
            // A reader that went away needs no message.
            let _ = message.print();
            return ExitCode::from(code);
        }
    };
    match cli::run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::note(&format!("error: {error}"));
            ExitCode::from(match error {
                Error::Parameter { .. } => USAGE,
                _ => FAILURE,
            })
        }
    }
}
