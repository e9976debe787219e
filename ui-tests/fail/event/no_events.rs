//! A schema has at least one event.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {}

fn main() {}
