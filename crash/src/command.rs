//! The command: stops larder everywhere, as often as asked.

use std::{process::ExitCode, time::Instant};

use crate::{
    fault::FaultKind,
    faults::{Faults, FaultsFound, Lasting},
    hunt::{Found, Hunt, Lie},
};

const USAGE: &str = "usage: larder-crash [--stops N] [--seed N] [--threads N] [--damages N] [--only NAME] [--lie no-sync|early-ack|two-transactions]\n       larder-crash --faults EVERY [--seed N] [--threads N] [--only NAME]";

/// Runs the command with these arguments.
pub fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    let hunt = match parse(arguments) {
        Ok((hunt, None)) => hunt,
        Ok((hunt, Some(every))) => return try_faults(hunt, every),
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    println!(
        "{} stops, seed {}, {} threads, {} losses of power a position",
        hunt.stops, hunt.seed, hunt.threads, hunt.losses_of_power
    );
    let begin = Instant::now();
    let line = |found: &Found| {
        let seconds = begin.elapsed().as_secs_f64();
        format!(
            "{} recordings, {} calls, {} stops, {} opened and checked, {} losses, {seconds:.0} s, {:.3} ms a check",
            found.recordings,
            found.calls,
            found.stops,
            found.checked,
            found.losses.len(),
            1e3 * seconds * hunt.threads as f64 / found.checked.max(1) as f64,
        )
    };
    let progress = |found: &Found| {
        if found.recordings.is_multiple_of(10) {
            println!("{}", line(found));
        }
    };
    match hunt.run(&progress) {
        Ok(found) => {
            found.losses.iter().for_each(|loss| println!("{loss}"));
            println!("{}", line(&found));
            if found.losses.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("the folder of the images cannot be used: {error}");
            ExitCode::from(2)
        }
    }
}

fn try_faults(hunt: Hunt, every: u64) -> ExitCode {
    println!("faults at every {every}. call of each kind, once and for ever, seed {}", hunt.seed);
    let (kinds, lasting) = (FaultKind::ALL.to_vec(), Lasting::ALL.to_vec());
    match (Faults { kinds, lasting, only: hunt.only, every, seed: hunt.seed, threads: hunt.threads }).run() {
        Ok(FaultsFound { runs, failed, most_failed, loads_failed, findings }) => {
            findings.iter().for_each(|finding| println!("{finding}"));
            println!(
                "{runs} runs with a fault, in {failed} of them a step failed, {most_failed} tries at most in one, {loads_failed} loads \
                 while it lasted, {} findings",
                findings.len()
            );
            if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("the folder of the stores cannot be used: {error}");
            ExitCode::from(2)
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<(Hunt, Option<u64>), String> {
    let (mut hunt, mut faults) = (Hunt::new(100_000), None);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("`{name}` needs a value"))?;
        let number = || value.replace('_', "").parse::<u64>().map_err(|_| format!("`{value}` is no number"));
        match name.as_str() {
            "--stops" => hunt.stops = number()?,
            "--faults" => faults = Some(number()?.max(1)),
            "--seed" => hunt.seed = number()?,
            "--threads" => hunt.threads = usize::try_from(number()?.max(1)).unwrap_or(1),
            "--damages" => hunt.losses_of_power = number()?,
            "--only" => hunt.only = Some(value.clone()),
            "--lie" => {
                hunt.lie = match value.as_str() {
                    "no-sync" => Lie::NoSync,
                    "early-ack" => Lie::EarlyAcknowledgement,
                    "two-transactions" => Lie::TwoTransactions,
                    _ => return Err(format!("`{value}` is no lie")),
                }
            }
            _ => return Err(format!("`{name}` is no option")),
        }
    }
    Ok((hunt, faults))
}
