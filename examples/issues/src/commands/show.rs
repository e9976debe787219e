//! `issues show`: one issue with all that was said and done.

use larder::prelude::*;
use serde::Serialize;

use crate::{
    failure::Failure,
    helpers::Route,
    output::{Output, minute, printable},
    stores::{Activity, Issue, Kind},
};

#[derive(Serialize)]
struct Shown {
    workspace: String,
    #[serde(flatten)]
    issue: Issue,
    activities: Vec<Activity>,
}

/// Shows an issue.
pub(super) async fn run(
    registry: &StoreRegistry,
    workspace: &str,
    number: Option<i64>,
    output: &mut Output,
) -> Result<(), Failure> {
    let route = match number {
        Some(number) => Route { workspace: workspace.to_owned(), number },
        None => workspace.parse()?,
    };
    let (_workspace, store) = route.load(registry).await?;
    let Route { workspace, number } = route;
    let (issue, activities) = store.query((Issue::by_key(number), Activity::all().order_by(Activity::PLACE.asc())))?;
    let Some(issue) = issue else { return Err(Failure::NoIssue { workspace, number }) };
    if output.is_json() {
        return Ok(output.json(&Shown { workspace, issue, activities })?);
    }
    output.line(format!("{workspace}#{number}  {}  {}", issue.state, printable(&issue.title)))?;
    for Activity { kind, author, at, body, .. } in &activities {
        let (at, author) = (minute(*at), printable(author));
        match kind {
            Kind::Opened => output.line(format!("\n{at}  {author} opened it"))?,
            Kind::Closed => output.line(format!("\n{at}  {author} closed it"))?,
            Kind::Commented => {
                output.line(format!("\n{at}  {author} said"))?;
                for line in body.as_deref().unwrap_or_default().lines() {
                    output.line(format!("    {}", printable(line)).trim_end())?;
                }
            }
        }
    }
    Ok(())
}
