//! `stator-attach-load mock …` runs streaming mock engines; `stator-attach-load client …` sends requests and checks the
//! answers. Both use one thread and take options as name=number.

mod answer;
mod client;
mod epoll;
mod http;
mod mock;

use std::collections::HashMap;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = Options::parse(arguments.get(1..).unwrap_or_default());
    let result = match arguments.first().map(String::as_str) {
        Some("mock") => mock::run(&options),
        Some("client") => client::run(&options),
        _ => Err(std::io::Error::other("The first argument must be mock or client.")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stator-attach-load: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Options as name=number, or a list of numbers separated by commas.
pub struct Options(HashMap<String, Vec<u64>>);

impl Options {
    fn parse(arguments: &[String]) -> Self {
        let pairs = arguments.iter().filter_map(|argument| argument.split_once('='));
        let numbers = |text: &str| text.split(',').filter_map(|part| part.parse().ok()).collect();
        Self(pairs.map(|(name, value)| (name.to_string(), numbers(value))).collect())
    }

    pub fn list(&self, name: &str) -> &[u64] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// The option's number; 0 if it is missing.
    pub fn number(&self, name: &str) -> u64 {
        self.list(name).first().copied().unwrap_or(0)
    }
}
