//! Events own their data.

use larder::prelude::*;

#[derive(Event)]
enum IssueEvent {
    #[event(name = "v1.IssueOpened")]
    Opened {
        #[serde(borrow)]
        title: std::borrow::Cow<'static, str>,
    },
}

fn main() {}
