//! The command line: one file per subcommand.

mod asking;
mod bench;
mod demo;
mod devices;
mod explain;
mod groups;
mod input;
mod lime;
mod mimic;
mod network;
mod output;
mod permutation;
mod source;
#[cfg(feature = "text")]
mod surrogate;
#[cfg(feature = "text")]
mod text;
mod value;

use std::io::{self, Write};

use clap::{Parser, Subcommand};
use whylight::{Error, Result};

/// Explains the predictions of any model, on the CPU or on any GPU
#[derive(Debug, Parser)]
#[command(name = "whylight", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Explain a small model that is built in, to see what an explanation is
    Demo(demo::Args),
    /// Explain the rows of a table by a model, from file to file or to the screen
    Explain(Box<explain::Args>),
    /// Explain texts, word by word, by a model that answers for them
    #[cfg(feature = "text")]
    Text(Box<text::Args>),
    /// List the devices, their limits, and which one `auto` takes and why
    Devices(devices::Args),
    /// Measure how fast a model is explained
    Bench(Box<bench::Args>),
}

pub(crate) fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Demo(args) => demo::run(&args),
        Command::Explain(args) => explain::run(&args),
        #[cfg(feature = "text")]
        Command::Text(args) => text::run(&args),
        Command::Devices(args) => devices::run(&args),
        Command::Bench(args) => bench::run(&args),
    }
}

/// Has everything that runs in parallel, the reading of tables too, take that many threads.
fn use_threads(threads: Option<usize>) -> Result<()> {
    let Some(threads) = threads else {
        return Ok(());
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build_global().map_err(|error| Error::Parameter {
        name: "threads",
        got: threads.to_string(),
        allowed: format!("a number of threads that the system grants ({error})"),
    })
}

/// Writes a report to stdout. A reader that has seen enough, such as `head`, is no failure.
fn show(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Io {
            path: "<stdout>".into(),
            source: error,
        }),
        _ => Ok(()),
    }
}

/// Writes a line for a person to stderr, where nobody may be listening.
pub(crate) fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
