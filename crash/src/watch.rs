//! A watched folder: records what changes in it, and lets calls fail.

use std::{
    cell::Cell,
    collections::{BTreeMap, HashSet},
    ffi::{c_int, c_long},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

use crate::{
    fault::{Fault, Plan},
    script::Note,
    system,
    trace::{Node, Op, Trace, Tree, is_shared_memory, read_tree, relative},
};

static WATCHES: RwLock<Vec<Arc<Watch>>> = RwLock::new(Vec::new());
static COUNT: AtomicUsize = AtomicUsize::new(0);
static NEXT_KEY: AtomicU32 = AtomicU32::new(1);

thread_local! {
    /// The watch of this thread's last watched call.
    static LAST: Cell<u32> = const { Cell::new(0) };
}

/// One call of the C library about a watched folder.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call<'a> {
    Open { path: &'a Path, creates: bool, truncates: bool, writes: bool },
    Read,
    Write { file: Node, at: u64, bytes: &'a [u8] },
    Truncate { file: Node, length: u64 },
    Sync { file: Node },
    Remove { path: &'a Path },
    Rename { from: &'a Path, to: &'a Path },
    MakeFolder { path: &'a Path },
}

type Answer = Result<c_long, c_int>;

/// A watched folder. Calls about it happen one after the other, so that their order is what was recorded.
#[derive(Debug)]
pub struct Watch {
    key: u32,
    root: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<String, Node>,
    next: Node,
    /// Shared memory: only names are recorded.
    without_bytes: HashSet<Node>,
    base: BTreeMap<String, (Node, Option<Vec<u8>>)>,
    ops: Option<Vec<Op>>,
    plan: Plan,
}

/// The watch that a path lies in.
pub(crate) fn of_path(path: &Path) -> Option<Arc<Watch>> {
    if COUNT.load(Ordering::Acquire) == 0 {
        return None;
    }
    let watches = WATCHES.read().unwrap_or_else(PoisonError::into_inner);
    watches.iter().find(|watch| path.starts_with(&watch.root)).cloned()
}

/// The watch with a key.
pub(crate) fn by_key(key: u32) -> Option<Arc<Watch>> {
    let watches = WATCHES.read().unwrap_or_else(PoisonError::into_inner);
    watches.iter().find(|watch| watch.key == key).cloned()
}

/// Whether an open elsewhere must fail: a process without descriptors has none for other folders either. Only this thread's last
/// watched call says whose process this is.
pub(crate) fn unwatched_open() -> Option<c_int> {
    if COUNT.load(Ordering::Acquire) == 0 {
        return None;
    }
    let last = LAST.try_with(Cell::get).unwrap_or(0);
    by_key(last)?.lock().plan.elsewhere()
}

impl Watch {
    /// Watches a folder, which nobody has open, until [`Watch::end`].
    ///
    /// # Errors
    /// When the folder cannot be read.
    ///
    /// # Panics
    /// When the calls do not come here: then nothing of this crate proves anything.
    pub fn begin(root: &Path) -> io::Result<Arc<Self>> {
        let root = root.canonicalize()?;
        let mut state = State { next: 1, ..State::default() };
        state.names.insert(String::new(), 0);
        for (path, bytes) in read_tree(&root)? {
            let node = state.new_node(path.clone());
            state.base.insert(path, (node, bytes));
        }
        Ok(Self::over(root, state))
    }

    /// Goes on over a copy of the folder, with what was recorded until now: whoever had files of the old one open is watched no more, like
    /// a process that was killed, and what it had not synced is still not synced.
    ///
    /// # Errors
    /// When the copy cannot be found.
    pub fn go_on_over(&self, copy: &Path) -> io::Result<Arc<Self>> {
        let root = copy.canonicalize()?;
        self.forget();
        let state = std::mem::take(&mut *self.lock());
        Ok(Self::over(root, state))
    }

    fn over(root: PathBuf, state: State) -> Arc<Self> {
        assert!(system::is_linked(), "the calls of the C library do not come to this crate");
        let key = NEXT_KEY.fetch_add(1, Ordering::Relaxed);
        let watch = Arc::new(Self { key, root, state: Mutex::new(state) });
        WATCHES.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&watch));
        COUNT.fetch_add(1, Ordering::Release);
        watch
    }

    fn forget(&self) {
        WATCHES.write().unwrap_or_else(PoisonError::into_inner).retain(|watch| watch.key != self.key);
        COUNT.fetch_sub(1, Ordering::Release);
    }

    /// Records from now on.
    pub fn record(&self) {
        self.lock().ops = Some(Vec::new());
    }

    /// Records something that the workload was told.
    pub fn note(&self, note: Note) {
        if let Some(ops) = &mut self.lock().ops {
            ops.push(Op::Note(note));
        }
    }

    /// Lets calls fail from now on; counts them anew.
    pub fn fail(&self, fault: Fault) {
        self.lock().plan = Plan::new(fault);
    }

    /// Lets nothing fail any more; whether something had failed.
    pub fn heal(&self) -> bool {
        self.lock().plan.heal()
    }

    /// Does something while nothing fails, and then lets the same fail as before.
    pub fn without_fault<R>(&self, work: impl FnOnce() -> R) -> R {
        let plan = std::mem::take(&mut self.lock().plan);
        let done = work();
        self.lock().plan = plan;
        done
    }

    /// Whether something has failed.
    pub fn has_fired(&self) -> bool {
        self.lock().plan.has_fired()
    }

    /// What was recorded; the folder is watched no more.
    ///
    /// # Panics
    /// When what was recorded is not what is in the files: then a call was missed.
    pub fn end(&self) -> Trace {
        self.forget();
        let mut state = self.lock();
        let ops = state.ops.take().unwrap_or_default();
        Trace { base: std::mem::take(&mut state.base), ops }
    }

    /// What is in the folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn tree(&self) -> io::Result<Tree> {
        read_tree(&self.root)
    }

    pub(crate) fn key(&self) -> u32 {
        self.key
    }

    /// An open: the answer, and the number of what is open.
    pub(crate) fn open(&self, call: Call<'_>, real: impl FnOnce() -> Answer) -> (Answer, Option<Node>) {
        let Call::Open { path, truncates, .. } = call else { return (real(), None) };
        LAST.with(|last| last.set(self.key));
        let mut state = self.lock();
        let name = relative(&self.root, path);
        let is_new = !state.names.contains_key(&name);
        if let Some(error) = state.plan.refuses(&call, is_new) {
            return (Err(error), None);
        }
        let answer = real();
        if answer.is_err() {
            return (answer, None);
        }
        let node = state.names.get(&name).copied().unwrap_or_else(|| {
            let node = state.new_node(name.clone());
            state.push(node, Op::Create { node, path: name });
            node
        });
        if truncates && !is_new {
            state.push(node, Op::Truncate { node, length: 0 });
        }
        (answer, Some(node))
    }

    /// Any other call.
    pub(crate) fn call(&self, call: Call<'_>, real: impl FnOnce() -> Answer) -> Answer {
        LAST.with(|last| last.set(self.key));
        let mut state = self.lock();
        if let Some(error) = state.plan.refuses(&call, false) {
            return Err(error);
        }
        let answer = real()?;
        state.happened(&self.root, call, answer);
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new_node(&mut self, path: String) -> Node {
        let node = self.next;
        self.next += 1;
        if is_shared_memory(&path) {
            self.without_bytes.insert(node);
        }
        self.names.insert(path, node);
        node
    }

    fn push(&mut self, node: Node, op: Op) {
        let changes_bytes = matches!(op, Op::Write { .. } | Op::Truncate { .. } | Op::Sync { .. });
        if !(changes_bytes && self.without_bytes.contains(&node))
            && let Some(ops) = &mut self.ops
        {
            ops.push(op);
        }
    }

    /// A call that succeeded.
    fn happened(&mut self, root: &Path, call: Call<'_>, answer: c_long) {
        match call {
            Call::Open { .. } | Call::Read => {}
            Call::Write { file, at, bytes } => {
                let written = usize::try_from(answer).unwrap_or(0).min(bytes.len());
                self.push(file, Op::Write { node: file, at, bytes: bytes[..written].to_vec() });
            }
            Call::Truncate { file, length } => self.push(file, Op::Truncate { node: file, length }),
            Call::Sync { file } => self.push(file, Op::Sync { node: file }),
            Call::Remove { path } => {
                let path = relative(root, path);
                if let Some(node) = self.names.remove(&path) {
                    self.push(node, Op::Remove { path });
                }
            }
            Call::Rename { from, to } => {
                let (from, to) = (relative(root, from), relative(root, to));
                if let Some(node) = self.names.remove(&from) {
                    self.names.insert(to.clone(), node);
                    self.push(node, Op::Rename { from, to });
                }
            }
            Call::MakeFolder { path } => {
                let path = relative(root, path);
                let node = self.new_node(path.clone());
                self.push(node, Op::MakeFolder { node, path });
            }
        }
    }
}
