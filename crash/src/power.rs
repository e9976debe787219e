//! What a loss of power leaves: what was synced, and of the rest whatever a seed says.
//!
//! Names: the changes since a folder was synced survive up to some point, folder by folder (file systems keep a journal of them); a
//! file whose folder's own name is lost is lost. Bytes: of what was written since a file was synced any part survives, in any order:
//! none, all, some of the writes, some of their sectors of 512 bytes, the later without the earlier.

use crate::{
    disk::{Disk, Part, Recipe, change_names},
    trace::{Op, Trace, Tree, folder_of},
};

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// A small random generator (SplitMix64, Steele, Lea and Flood 2014): the same seed, the same numbers.
#[derive(Clone, Debug)]
pub(crate) struct Mix(u64);

impl Mix {
    /// From a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 when that is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.number() % (bound.max(1) as u64)).unwrap_or(0)
    }

    fn is_heads(&mut self) -> bool {
        self.number() & 1 == 1
    }
}

/// How the unsynced writes of one file fare.
#[derive(Clone, Copy)]
enum Fate {
    None,
    All,
    /// Up to some write, which may be torn.
    Beginning,
    /// From some write on.
    End,
    SomeWrites,
    SomeSectors,
    AllButOneWrite,
    AllButOneSector,
}

/// What a loss of power at the end of a recording leaves, as a seed says.
#[must_use]
pub fn after_loss(trace: &Trace, seed: u64) -> Tree {
    let mut disk = Disk::new(trace);
    (0..trace.ops.len()).for_each(|at| disk.apply(at));
    disk.image(&lose(&disk, trace, &mut Mix::new(seed)))
}

/// What a loss of power at this moment leaves, as `mix` says.
pub(crate) fn lose<'t>(disk: &Disk<'t>, trace: &'t Trace, mix: &mut Mix) -> Recipe<'t> {
    let mut names = disk.safe_names.clone();
    for changes in disk.unsafe_names.values() {
        let kept = match mix.below(4) {
            0 => 0,
            1 => changes.len(),
            _ => mix.below(changes.len() + 1),
        };
        changes[..kept].iter().for_each(|at| change_names(&mut names, &trace.ops[*at]));
    }
    let mut recipe = Recipe::default();
    // Folders come before what is in them.
    for (path, node) in names {
        if path.is_empty() || recipe.entries.contains_key(folder_of(path)) {
            let parts = survivors(trace, &disk.files[node as usize].unsynced, mix);
            recipe.entries.insert(path, (node, parts));
        }
    }
    recipe
}

fn survivors(trace: &Trace, unsynced: &[usize], mix: &mut Mix) -> Vec<Part> {
    if unsynced.is_empty() {
        return Vec::new();
    }
    let whole = |op: &usize| Part { op: *op, bytes: None };
    let some = mix.below(unsynced.len());
    match fate(mix) {
        Fate::None => Vec::new(),
        Fate::All => unsynced.iter().map(whole).collect(),
        Fate::Beginning => {
            let mut parts: Vec<_> = unsynced[..some].iter().map(whole).collect();
            parts.extend(sectors(trace, unsynced[some], |_, _| mix.is_heads()));
            parts
        }
        Fate::End => unsynced[some..].iter().map(whole).collect(),
        Fate::SomeWrites => unsynced.iter().filter(|_| mix.is_heads()).map(whole).collect(),
        Fate::SomeSectors => unsynced.iter().flat_map(|op| sectors(trace, *op, |_, _| mix.is_heads())).collect(),
        Fate::AllButOneWrite => {
            unsynced.iter().enumerate().filter(|(at, _)| *at != some).map(|(_, op)| whole(op)).collect()
        }
        Fate::AllButOneSector => {
            let gone = mix.number() as usize;
            let parts = unsynced.iter().enumerate().flat_map(|(at, op)| {
                if at == some { sectors(trace, *op, |sector, of| sector != gone % of) } else { vec![whole(op)] }
            });
            parts.collect()
        }
    }
}

fn fate(mix: &mut Mix) -> Fate {
    const FATES: [Fate; 8] = [
        Fate::None,
        Fate::All,
        Fate::Beginning,
        Fate::End,
        Fate::SomeWrites,
        Fate::SomeSectors,
        Fate::AllButOneWrite,
        Fate::AllButOneSector,
    ];
    FATES[mix.below(FATES.len())]
}

/// The sectors of a write that are kept, of so many; a change of length is kept or not.
fn sectors(trace: &Trace, op: usize, mut keep: impl FnMut(usize, usize) -> bool) -> Vec<Part> {
    let Op::Write { at, bytes, .. } = &trace.ops[op] else {
        return if keep(0, 1) { vec![Part { op, bytes: None }] } else { Vec::new() };
    };
    let first = SECTOR - usize::try_from(at % SECTOR as u64).unwrap_or(0);
    let mut cuts = vec![0];
    cuts.extend((first..bytes.len()).step_by(SECTOR));
    cuts.push(bytes.len());
    let count = cuts.len() - 1;
    let kept = cuts.windows(2).enumerate().filter(|(sector, _)| keep(*sector, count));
    kept.map(|(_, cut)| Part { op, bytes: Some(cut[0]..cut[1]) }).collect()
}
