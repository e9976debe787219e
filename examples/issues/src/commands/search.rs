//! `issues search`: one query over the stores of all workspaces.

use larder::prelude::*;

use super::list::{IssueLine, print, report_failed};
use crate::{
    failure::Failure,
    output::Output,
    stores::{Headline, WorkspaceStore},
};

/// Searches the titles of all workspaces. A workspace that another process has open is named, and left out.
pub(super) async fn run(registry: &StoreRegistry, text: &str, limit: u64, output: &mut Output) -> Result<(), Failure> {
    let limit = if limit == 0 { u64::MAX } else { limit };
    let wanted = Headline::filter(Headline::TITLE.like(format!("%{text}%")));
    let newest = wanted.clone().order_by(Headline::LAST_ACTIVITY.desc()).limit(limit);
    let found = registry.across_all::<WorkspaceStore>().query((wanted.count(), newest)).await?;
    report_failed(&found.failed);
    let (total, newest) = found.value;
    let lines = newest.into_iter().map(|(id, headline)| IssueLine { workspace: id.name, headline });
    print(&lines.collect::<Vec<_>>(), total, output)
}
