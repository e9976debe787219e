//! Queries over many closed stores, and a projection of all of them, over a data dir that `issues import` made, beside what is written by hand
//! on `rusqlite`.
//!
//! `cargo run --release -p larder-benches --bin many -- --data DIR`
//!
//! It asks 1,000 closed issues' stores one question, makes the list of all issues anew, opens it again, and comments on an issue until the
//! list shows it. What it adds to the data dir is the list, which is deleted first, and the comments. It fails when the question takes more
//! than 1.5 s, the list more than 30 s, or following more than 5 ms.

mod hand;

use std::{
    error::Error,
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Parser;
use issues::stores::{Activity, IssueEvent, IssueId, IssueList, IssueStore, Kind, ListedIssue};
use larder::{StoreId, StoreRegistry, Timestamp, Uuid, count};

/// Closed stores that one query is over.
const STORES: usize = 1_000;

/// Most that the query may take.
const MOST_ACROSS: Duration = Duration::from_millis(1_500);

/// Most that the list may take to be made.
const MOST_BUILT: Duration = Duration::from_secs(30);

/// Most that the list may take to follow an event.
const MOST_FOLLOWED: Duration = Duration::from_millis(5);

/// How many events are followed; the median counts.
const FOLLOWED: usize = 200;

/// Measures queries over many stores.
#[derive(Parser)]
struct Options {
    /// A data dir with imported issues
    #[arg(long)]
    data: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    tokio::runtime::Runtime::new()?.block_on(run(&options))
}

fn line(what: &str, took: Duration, rest: &str) {
    println!("{what:<58} {:>9.1} ms  {rest}", took.as_secs_f64() * 1e3);
}

async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let registry = StoreRegistry::builder().data_dir(&options.data).build()?;
    let stored = registry.stored::<IssueStore>().await?;
    println!("{} issues' stores", stored.len());
    let ids: Vec<IssueId> = stored.iter().take(STORES).map(|stored| stored.key.clone()).collect::<Result<_, _>>()?;
    let files: Vec<PathBuf> = stored.iter().take(STORES).map(|stored| stored.file.clone()).collect();
    let across = across(&registry, &ids, &files).await?;
    let (built, followed) = list(&registry, &ids[0], stored.len()).await?;
    registry.shutdown(Duration::from_secs(10)).await;
    let is_judged = !cfg!(debug_assertions);
    let bars = [(across, MOST_ACROSS, "across"), (built, MOST_BUILT, "built"), (followed, MOST_FOLLOWED, "followed")];
    let missed: Vec<_> =
        bars.iter().filter(|(took, most, _)| is_judged && took > most).map(|(_, _, what)| *what).collect();
    if missed.is_empty() { Ok(()) } else { Err(format!("too slow: {}", missed.join(", ")).into()) }
}

/// One query over closed stores; the slower of two.
async fn across(registry: &StoreRegistry, ids: &[IssueId], files: &[PathBuf]) -> Result<Duration, Box<dyn Error>> {
    let newest = || {
        let comments = Activity::filter(Activity::KIND.eq(Kind::Commented));
        let newest = comments.clone().order_by(Activity::AT.desc()).limit(20);
        let busiest = comments.group_by(Activity::AUTHOR).aggregate(count()).order_by(count().desc()).limit(5);
        (newest, busiest)
    };
    let mut slowest = Duration::ZERO;
    for run in ["first", "again"] {
        let start = Instant::now();
        let found = registry.across::<IssueStore>(ids).query(newest()).await?;
        let took = start.elapsed();
        let (newest, busiest) = found.value;
        let rest = format!(
            "{} stores, {} failed, {} rows, {} groups",
            found.stores,
            found.failed.len(),
            newest.len(),
            busiest.len()
        );
        line(&format!("newest comments and busiest authors across, {run}"), took, &rest);
        slowest = slowest.max(took);
    }
    let start = Instant::now();
    let rows = hand::newest(files)?;
    line("newest comments by hand, one connection after the other", start.elapsed(), &format!("{rows} rows"));
    Ok(slowest)
}

/// How long the list takes to be made, and to follow an event.
async fn list(registry: &StoreRegistry, id: &IssueId, stores: usize) -> Result<(Duration, Duration), Box<dyn Error>> {
    registry.delete_projection::<IssueList>().await?;
    let start = Instant::now();
    let issues = registry.projection::<IssueList>().await?;
    let built = start.elapsed();
    let listed = issues.query(ListedIssue::all().count())?;
    line(
        "the list of all issues, made anew",
        built,
        &format!("{listed} issues of {stores}, {} failed", issues.failed().len()),
    );
    issues.close().await?;
    let start = Instant::now();
    let issues = registry.projection::<IssueList>().await?;
    line("the list opened again, nothing changed", start.elapsed(), "");

    let issue = registry.get::<IssueStore>(id).await?;
    let source: StoreId = issue.id().clone();
    let mut shown = issues.subscribe(ListedIssue::by_key(larder::SourceId::from(source)));
    let mut comments = comments_of(shown.next().await)?;
    let mut took = Vec::with_capacity(FOLLOWED);
    for at in 0..FOLLOWED {
        let event = IssueEvent::Commented {
            body: "measured".to_owned(),
            author: "bench".to_owned(),
            at: Timestamp::from_second(2_000_000_000 + i64::try_from(at)?)?,
            activity: Uuid::new_v4(),
        };
        let start = Instant::now();
        issue.commit(event)?;
        while comments_of(shown.next().await)? == comments {}
        took.push(start.elapsed());
        comments += 1;
    }
    took.sort();
    let median = took[took.len() / 2];
    line(
        "commit of an event, until the list shows it, median",
        median,
        &format!("slowest {:.2} ms", took[took.len() - 1].as_secs_f64() * 1e3),
    );
    Ok((built, median))
}

type Shown = Option<Result<larder::Live<std::sync::Arc<Option<ListedIssue>>>, larder::QueryError>>;

fn comments_of(shown: Shown) -> Result<i64, Box<dyn Error>> {
    let shown = shown.ok_or("the list has ended")??;
    Ok(shown.as_ref().as_ref().ok_or("the list lacks the issue")?.comments)
}
