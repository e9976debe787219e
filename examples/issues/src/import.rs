//! Imports activities: one commit to the issue's store and one to its workspace's store for each line, in the order of the lines.
//!
//! # Killed at any moment
//!
//! The two stores of a line are two files, so no transaction spans them. Each side refuses on its own what it has already, and the order
//! of the two commits says which side may be ahead:
//!
//! 1. the event goes to the **issue's** store, whose table `activities` has the activity's id as its key;
//! 2. then to the **workspace's** store, whose table `applied` has the same id as its key.
//!
//! The id is a hash of what the line says, so every run computes the same. A run reads `applied` once per workspace and skips the lines
//! that are in it, without touching an issue's store. What a kill can leave behind:
//!
//! - before 1: neither store has the line. The next run commits both.
//! - between 1 and 2: the issue has it, the workspace has not. The next run commits 1 again, the key of `activities` refuses it (a
//!   refused commit changes nothing, not even the log), and the run goes on with 2.
//! - after 2: both have it. The next run skips the line.
//! - inside 1 or 2: a commit is one transaction, so this is one of the cases above.
//! - while a store is made, before its first commit: the file has no events, the next run opens it like any other.
//!
//! A workspace never has a line that the issue lacks, so skipping by the workspace alone loses nothing. A line that is refused for another
//! reason (opened twice, never opened) depends on the lines before it alone, so every run refuses it. This holds for a killed process.
//! Where power may fail too, both stores need `Durability::Power`, or the issue's last commits may be lost and the workspace's kept.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Instant,
};

use larder::{LoadError, Uuid, prelude::*};
use serde::Serialize;

use crate::{
    catch_up::catch_up,
    failure::{Failure, is_repeated},
    helpers,
    input::{Line, Lines, Reason},
    stores::{Applied, Headline, IssueEvent, IssueId, IssueStore, Kind, WorkspaceEvent, WorkspaceStore},
};

/// How many lines are read ahead at most, so that the stores of the next issues open while this one commits.
pub const AHEAD: usize = 8;

/// Most bad lines kept for the summary; all are reported as they come.
const KEPT_BAD_LINES: usize = 100;

/// What an import did.
#[derive(Serialize, Clone, Debug, Default)]
pub struct Summary {
    /// Lines read, blank ones aside.
    pub lines: u64,
    /// Activities that were committed now.
    pub new: u64,
    /// Activities that were there already.
    pub known: u64,
    /// Lines that cannot be used.
    pub bad: u64,
    /// The first of them.
    pub bad_lines: Vec<BadLine>,
    /// Workspaces that the good lines are about.
    pub workspaces: u64,
    /// Issues that got a new activity.
    pub issues: u64,
    /// How long it took.
    pub seconds: f64,
}

/// A line that cannot be used.
#[derive(Serialize, Clone, Debug)]
pub struct BadLine {
    /// From 1 on.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// What happens while importing, for a progress bar.
pub trait Watch {
    /// A line was read; `read_bytes` of the input are behind it.
    fn read(&mut self, read_bytes: u64);
    /// A line cannot be used.
    fn bad(&mut self, bad: &BadLine);
}

/// Imports all lines.
///
/// # Errors
/// When the input cannot be read, or a store cannot be opened or written. What was committed stays; the next run goes on from there.
pub async fn import(registry: &StoreRegistry, input: &mut Lines, watch: &mut dyn Watch) -> Result<Summary, Failure> {
    let start = Instant::now();
    let mut import = Import {
        registry,
        workspaces: HashMap::new(),
        equal_lines: HashMap::new(),
        ahead: VecDeque::new(),
        issues: HashSet::new(),
        summary: Summary::default(),
    };
    loop {
        let next = input.next_line().map_err(|source| Failure::Input { name: input.name().to_owned(), source })?;
        let Some((number, line)) = next else { break };
        import.summary.lines += 1;
        if let Err(reason) = import.take(number, line).await? {
            import.report(number, &reason, watch);
        }
        watch.read(input.read_bytes());
        if import.ahead.len() >= AHEAD {
            import.commit_next(watch).await?;
        }
    }
    while !import.ahead.is_empty() {
        import.commit_next(watch).await?;
    }
    let Import { mut summary, workspaces, issues, .. } = import;
    summary.workspaces = workspaces.values().filter(|workspace| workspace.has_good_lines).count() as u64;
    summary.issues = issues.len() as u64;
    summary.seconds = start.elapsed().as_secs_f64();
    Ok(summary)
}

struct Import<'a> {
    registry: &'a StoreRegistry,
    workspaces: HashMap<String, Workspace>,
    /// How many times each activity was read, so that equal lines are activities of their own.
    equal_lines: HashMap<Uuid, u32>,
    /// Lines that are good and new, in order, their stores opening.
    ahead: VecDeque<Ahead>,
    issues: HashSet<(String, i64)>,
    summary: Summary,
}

/// A line that is good and new.
struct Ahead {
    number: u64,
    line: Line,
    activity: Uuid,
}

/// What the import knows of a workspace: read once, then kept up. Its store is not held, because there may be more workspaces than stores
/// can be loaded.
struct Workspace {
    applied: HashSet<Uuid>,
    opened: HashSet<i64>,
    has_good_lines: bool,
}

impl Import<'_> {
    /// Judges a line, and puts it ahead if it is good and new.
    async fn take(&mut self, number: u64, line: Result<Line, Reason>) -> Result<Result<(), Reason>, Failure> {
        let line = match line {
            Ok(line) => line,
            Err(reason) => return Ok(Err(reason)),
        };
        let before = self.equal_lines.entry(line.activity(0)).or_insert(0);
        let activity = line.activity(*before);
        *before += 1;
        let issue = line.issue.number;
        let Some(workspace) = self.workspace(&line).await? else { return Ok(Err(not_opened(line))) };
        if workspace.applied.contains(&activity) {
            workspace.has_good_lines = true;
            self.summary.known += 1;
            return Ok(Ok(()));
        }
        let opened = workspace.opened.contains(&issue);
        match line.kind {
            Kind::Opened if opened => return Ok(Err(opened_twice(&line.issue))),
            Kind::Commented | Kind::Closed if !opened => return Ok(Err(not_opened(line))),
            _ => {}
        }
        workspace.has_good_lines = true;
        workspace.opened.insert(issue);
        self.registry.preload::<IssueStore>(&line.issue).detach();
        self.ahead.push_back(Ahead { number, line, activity });
        Ok(Ok(()))
    }

    /// The workspace of a line. Only a line that opens an issue makes one: the others are of no use without.
    async fn workspace(&mut self, line: &Line) -> Result<Option<&mut Workspace>, Failure> {
        let name = &line.workspace.name;
        if !self.workspaces.contains_key(name) {
            let get = self.registry.get::<WorkspaceStore>(&line.workspace);
            let store = match if line.kind == Kind::Opened { get.await } else { get.existing().await } {
                Err(LoadError::NotFound { .. }) => return Ok(None),
                store => store?,
            };
            let (applied, headlines) = store.query((Applied::all(), Headline::all()))?;
            let applied = applied.into_iter().map(|row| row.activity).collect();
            let opened = headlines.into_iter().map(|headline| headline.number).collect();
            self.workspaces.insert(name.clone(), Workspace { applied, opened, has_good_lines: false });
        }
        Ok(self.workspaces.get_mut(name))
    }

    /// Commits the line that was put ahead first: see the module's page for why in this order.
    async fn commit_next(&mut self, watch: &mut dyn Watch) -> Result<(), Failure> {
        let Some(Ahead { number, line, activity }) = self.ahead.pop_front() else { return Ok(()) };
        let id = line.issue.clone();
        let issue = helpers::issue(self.registry, &id.workspace, id.number).await?;
        let workspace = self.registry.get::<WorkspaceStore>(&line.workspace).await?;
        let (to_issue, to_workspace) = events(line, activity);
        match issue.commit(to_issue) {
            Ok(_) => {}
            // By a run that was killed before it reached the workspace.
            Err(error) if is_repeated(&error, "activities") => {}
            // By `issues open`, killed at the same point: the headline is its own.
            Err(error) if is_repeated(&error, "issue") => {
                catch_up(&workspace, id.number, &issue)?;
                self.report(number, &opened_twice(&id), watch);
                return Ok(());
            }
            Err(error) => return Err(Failure::commit(&error)),
        }
        workspace.commit(to_workspace).map_err(|error| Failure::commit(&error))?;
        let known = self.workspaces.get_mut(&id.workspace).expect("read when the line was put ahead");
        known.applied.insert(activity);
        self.issues.insert((id.workspace, id.number));
        self.summary.new += 1;
        Ok(())
    }

    fn report(&mut self, line: u64, reason: &Reason, watch: &mut dyn Watch) {
        let bad = BadLine { line, reason: reason.to_string() };
        watch.bad(&bad);
        self.summary.bad += 1;
        if self.summary.bad_lines.len() < KEPT_BAD_LINES {
            self.summary.bad_lines.push(bad);
        }
    }
}

/// What a line says, to the issue's store and to the workspace's.
fn events(line: Line, activity: Uuid) -> (IssueEvent, WorkspaceEvent) {
    let Line { issue: IssueId { number, .. }, kind, at, author, text, .. } = line;
    match kind {
        Kind::Opened => (
            IssueEvent::Opened { number, title: text.clone(), author, at, activity },
            WorkspaceEvent::IssueOpened { number, title: text, at, activity },
        ),
        Kind::Commented => (
            IssueEvent::Commented { body: text, author, at, activity },
            WorkspaceEvent::IssueCommented { number, at, activity },
        ),
        Kind::Closed => {
            (IssueEvent::Closed { author, at, activity }, WorkspaceEvent::IssueClosed { number, at, activity })
        }
    }
}

fn not_opened(line: Line) -> Reason {
    Reason::NotOpened { workspace: line.issue.workspace, number: line.issue.number }
}

fn opened_twice(issue: &IssueId) -> Reason {
    Reason::OpenedTwice { workspace: issue.workspace.clone(), number: issue.number }
}
