//! Where a thread records workloads and checks what they leave: folders in memory.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use larder::Durability;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    check::{self, Finals, Told},
    disk::{Disk, in_memory, write_tree},
    player::{Player, runtime},
    script::{Note, Step},
    system,
    trace::{Op, Trace, Tree},
    watch::Watch,
    workloads::Workload,
};

/// A recorded workload.
pub(crate) struct Recording {
    pub(crate) trace: Trace,
    pub(crate) finals: Finals,
    /// What the workload was told before.
    pub(crate) told_before: Told,
}

/// Where a thread records and checks.
pub(crate) struct Lab {
    folder: TempDir,
    runtime: Arc<Runtime>,
}

impl Lab {
    pub(crate) fn new() -> io::Result<Self> {
        system::leave_memory_uncounted();
        Ok(Self { folder: in_memory()?, runtime: runtime() })
    }

    /// An empty folder.
    pub(crate) fn empty(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.folder.path().join(name);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir(&path)?,
        }
        path.canonicalize()
    }

    /// Records a workload. What is done before ends with a killed process.
    pub(crate) fn record(&self, workload: &Workload) -> io::Result<Recording> {
        let (tree, told_before) = self.before(workload)?;
        let base = self.empty("base")?;
        write_tree(&tree, &base)?;
        let recording = self.play(workload, &workload.steps, "recorded", Some((&base, &told_before)))?;
        Ok(Recording { told_before, ..recording })
    }

    /// What is there when a workload begins, and what it was told.
    pub(crate) fn before(&self, workload: &Workload) -> io::Result<(Tree, Told)> {
        let Recording { trace, .. } = self.play(workload, &workload.before, "before", None)?;
        let (mut disk, mut told) = (Disk::new(&trace), Told::default());
        (0..trace.ops.len()).for_each(|at| disk.apply(at));
        trace.ops.iter().for_each(|op| told.hear_op(op));
        Ok((disk.image(&disk.killed()), told))
    }

    pub(crate) fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    fn play(
        &self,
        workload: &Workload,
        steps: &[Step],
        name: &str,
        base: Option<(&Path, &Told)>,
    ) -> io::Result<Recording> {
        let root = match base {
            Some((base, _)) => base.to_owned(),
            None => self.empty(name)?,
        };
        let watch = Watch::begin(&root)?;
        watch.record();
        let mut player = Player::new(&root, workload.durability, &self.runtime);
        if let Some((_, told)) = base {
            player.hear(told.clone());
        }
        for step in steps {
            let played = player.play(step, &watch);
            played.unwrap_or_else(|failure| panic!("{}: {step:?} fails: {failure}", workload.name));
        }
        // The catalog notes in the background which stores have something to send.
        player.settle();
        let tree = watch.tree()?;
        let trace = watch.end();
        let mut disk = Disk::new(&trace);
        (0..trace.ops.len()).for_each(|at| disk.apply(at));
        let image = disk.image(&disk.killed());
        let missed: Vec<_> =
            image.keys().chain(tree.keys()).filter(|path| image.get(*path) != tree.get(*path)).collect();
        assert!(missed.is_empty(), "{}: calls about {missed:?} were missed", workload.name);
        let finals = finals(&mut player, &trace);
        Ok(Recording { trace, finals, told_before: Told::default() })
    }

    /// Checks an image.
    pub(crate) fn check(
        &self,
        image: &Tree,
        durability: Durability,
        promised: &Told,
        finals: &Finals,
    ) -> io::Result<Result<(), String>> {
        let root = self.empty("image")?;
        write_tree(image, &root)?;
        Ok(check::check(&root, durability, promised, finals, &self.runtime))
    }
}

/// What each store holds at the end, by opening it where it is not open.
fn finals(player: &mut Player, trace: &Trace) -> Finals {
    let mut finals = Finals::new();
    for op in &trace.ops {
        if let Op::Note(Note::Opens { store, generation }) = op {
            if player.store(store).is_none() {
                player.open(store, *generation).unwrap_or_else(|error| panic!("{store} does not open: {error}"));
            }
            let state = player.store(store).map(|open| open.state());
            let (rows, sums) = state.and_then(Result::ok).unwrap_or_else(|| panic!("{store} does not read"));
            check::check_rows(&rows, &sums).ok();
            finals.insert(store.clone(), rows);
        }
    }
    finals
}
