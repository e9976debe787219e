//! `issues`: an issue tracker of many workspaces on `larder`.

use std::process::ExitCode;

use clap::Parser;
use issues::{cli::Cli, commands};

#[tokio::main]
async fn main() -> ExitCode {
    match commands::run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let code = failure.exit_code();
            if code != 0 {
                eprintln!("issues: {failure}");
            }
            ExitCode::from(code)
        }
    }
}
