//! The command `whylight`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::SUCCESS
}
