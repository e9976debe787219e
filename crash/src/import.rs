//! The import of the example: what it was told, and what must hold of its stores after a stop.
//!
//! Each line is an event in its issue's store and then one in its workspace's. So a stop may leave a line in the issue alone; the next run
//! of the import finds that, and ends with every line in both, once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use issues::{
    import::{BadLine, Summary, Watch, import},
    input::{Line, Lines},
    stores::{Activity, Applied, IssueId, IssueStore, WorkspaceId, WorkspaceStore},
};
use larder::{Durability, LoadError, StoreDefinition, Uuid, prelude::*};
use tokio::runtime::Runtime;

use crate::{
    check::check_alarm,
    player::{Failure, Player},
};

/// What an import was told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ToldOfImport {
    text: Arc<str>,
    lines: usize,
    /// What was committed later is there only if what was committed before is.
    in_order: bool,
}

/// Runs the example's import.
pub(crate) fn run(
    runtime: &Runtime,
    registry: &StoreRegistry,
    text: &str,
    hears: &mut dyn Watch,
) -> Result<Summary, Failure> {
    runtime.block_on(import(registry, &mut Lines::of_text("the script", text), hears)).map_err(Failure::Import)
}

struct Deaf;

impl Watch for Deaf {
    fn read(&mut self, _read_bytes: u64) {}
    fn bad(&mut self, _bad: &BadLine) {}
}

impl ToldOfImport {
    pub(crate) fn begun(text: &Arc<str>) -> Self {
        Self { text: Arc::clone(text), lines: 0, in_order: true }
    }

    /// It is done with so many lines.
    pub(crate) fn hear(&mut self, lines: usize) {
        self.lines = self.lines.max(lines);
    }

    pub(crate) fn lines(&self) -> usize {
        self.lines
    }

    /// The power was lost, and its commits had not waited for the disk.
    pub(crate) fn forget(&mut self) {
        (self.lines, self.in_order) = (0, false);
    }

    /// What is there is a beginning of the lines, with all that was told; and the next run ends with all of them.
    pub(crate) fn check(&self, player: &mut Player, durability: Durability) -> Result<(), String> {
        let registry = player.registry().map_err(|error| error.to_string())?.clone();
        let found = self.check_stores(player, &registry, durability, true)?;
        if !self.in_order {
            return Ok(());
        }
        let summary = run(player.runtime(), &registry, &self.text, &mut Deaf).map_err(|failure| failure.to_string())?;
        let all = self.text.lines().count() as u64;
        if summary.bad > 0 || (summary.known, summary.new + summary.known) != (found as u64, all) {
            return Err(format!("{found} of {all} lines were in both stores, and the next run says {summary:?}"));
        }
        let whole = Self { lines: self.text.lines().count(), ..self.clone() };
        whole
            .check_stores(player, &registry, durability, false)
            .map(drop)
            .map_err(|what| format!("after the next run {what}"))
    }

    /// How many lines are in both of their stores.
    fn check_stores(
        &self,
        player: &Player,
        registry: &StoreRegistry,
        durability: Durability,
        verifies: bool,
    ) -> Result<usize, String> {
        let mut lines = Lines::of_text("the script", &*self.text);
        let (mut issues, mut workspaces) = (BTreeMap::new(), BTreeMap::new());
        let mut place = 0;
        while let Ok(Some((_, line))) = lines.next_line() {
            let line: Line = line.map_err(|reason| reason.to_string())?;
            let told = place < self.lines;
            let issue: &mut Expected<IssueId> =
                issues.entry(line.issue.number).or_insert_with(|| Expected::of(&line.issue));
            issue.add(line.activity(0), told);
            let workspace: &mut Expected<WorkspaceId> =
                workspaces.entry(line.workspace.name.clone()).or_insert_with(|| Expected::of(&line.workspace));
            workspace.add(line.activity(0), told);
            place += 1;
        }
        player.runtime().block_on(async {
            let (mut in_issues, mut in_workspaces) = (BTreeSet::new(), BTreeSet::new());
            for Expected { id, activities, told } in issues.values() {
                let found = match opened::<IssueStore>(registry, id, durability, verifies).await? {
                    None => Vec::new(),
                    Some(store) => store
                        .query(Activity::all().order_by(Activity::PLACE.asc()))
                        .map_err(|error| error.to_string())?,
                };
                let found: Vec<_> = found.into_iter().map(|activity| activity.id).collect();
                check_beginning(id, activities, *told, found.len(), activities.starts_with(&found))?;
                in_issues.extend(found);
            }
            for Expected { id, activities, told } in workspaces.values() {
                let found = match opened::<WorkspaceStore>(registry, id, durability, verifies).await? {
                    None => Vec::new(),
                    Some(store) => store.query(Applied::all()).map_err(|error| error.to_string())?,
                };
                let found: BTreeSet<_> = found.into_iter().map(|applied| applied.activity).collect();
                let is_beginning =
                    found.iter().eq(activities[..found.len().min(activities.len())].iter().collect::<BTreeSet<_>>());
                check_beginning(id, activities, *told, found.len(), is_beginning)?;
                in_workspaces.extend(found);
            }
            if self.in_order && !in_workspaces.is_subset(&in_issues) {
                return Err("a workspace has a line that its issue has not".to_owned());
            }
            Ok(in_workspaces.intersection(&in_issues).count())
        })
    }
}

/// What a store has at the end.
struct Expected<K> {
    id: K,
    activities: Vec<Uuid>,
    /// How many of them the import was told of.
    told: usize,
}

impl<K: Clone> Expected<K> {
    fn of(id: &K) -> Self {
        Self { id: id.clone(), activities: Vec::new(), told: 0 }
    }

    fn add(&mut self, activity: Uuid, told: bool) {
        self.activities.push(activity);
        self.told += usize::from(told);
    }
}

fn check_beginning(
    id: &dyn std::fmt::Debug,
    activities: &[Uuid],
    told: usize,
    found: usize,
    is_beginning: bool,
) -> Result<(), String> {
    match () {
        () if found < told => Err(format!("LOST: {id:?} was told of {told} lines and has {found}")),
        () if !is_beginning => {
            Err(format!("{id:?} has {found} lines that are no beginning of its {}", activities.len()))
        }
        () => Ok(()),
    }
}

/// A store, sound; `None` where it was not made.
async fn opened<D>(
    registry: &StoreRegistry,
    id: &D::Id,
    durability: Durability,
    verifies: bool,
) -> Result<Option<StoreHandle<D>>, String>
where
    D: StoreDefinition,
    D::Id: Clone + std::fmt::Debug,
{
    let store = match registry.get::<D>(id).existing().await {
        Err(LoadError::NotFound { .. }) => return Ok(None),
        store => store.map_err(|error| format!("{id:?} does not open: {error}"))?,
    };
    check_alarm(store.migrations_report().lost.as_ref().map(|lost| lost.loss), durability)?;
    if !verifies {
        return Ok(Some(store));
    }
    let report = store.verify().map_err(|error| format!("{id:?} cannot be verified: {error}"))?;
    if report.is_sound() {
        Ok(Some(store))
    } else {
        Err(format!("{id:?}: tables are not those of the log: {report:?}"))
    }
}
