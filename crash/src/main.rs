//! `larder-crash`: stops larder everywhere, as often as asked.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    larder_crash::command::run(std::env::args().skip(1))
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("the crash machine needs Linux");
}
