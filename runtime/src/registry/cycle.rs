//! Which load waits for which: a `get` through a `LoadContext` that would wait for itself is found before it waits. Pure.

use std::collections::HashMap;

/// Edges from a slot whose load waits to the slots it waits for.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    edges: HashMap<u32, Vec<u32>>,
}

impl Waits {
    /// The load in `parent` waits for `child` from now on; or the chain of slots, from `child` to `parent`, that makes it a cycle.
    pub(crate) fn add(&mut self, parent: u32, child: u32) -> Result<(), Vec<u32>> {
        if let Some(chain) = self.path(child, parent) {
            return Err(chain);
        }
        self.edges.entry(parent).or_default().push(child);
        Ok(())
    }

    /// The load in `parent` does not wait for `child` any more.
    pub(crate) fn remove(&mut self, parent: u32, child: u32) {
        let Some(children) = self.edges.get_mut(&parent) else { return };
        if let Some(at) = children.iter().position(|slot| *slot == child) {
            children.swap_remove(at);
        }
        if children.is_empty() {
            self.edges.remove(&parent);
        }
    }

    /// The load in `parent` ended: it waits for nobody.
    pub(crate) fn forget(&mut self, parent: u32) {
        self.edges.remove(&parent);
    }

    /// The slot is empty: it waits for nobody, and nobody for it.
    pub(crate) fn remove_slot(&mut self, slot: u32) {
        self.edges.remove(&slot);
        self.edges.retain(|_, children| {
            children.retain(|child| *child != slot);
            !children.is_empty()
        });
    }

    fn path(&self, from: u32, to: u32) -> Option<Vec<u32>> {
        let mut seen = vec![from];
        let mut paths = vec![vec![from]];
        while let Some(path) = paths.pop() {
            let end = *path.last()?;
            if end == to {
                return Some(path);
            }
            for next in self.edges.get(&end).into_iter().flatten() {
                if !seen.contains(next) {
                    seen.push(*next);
                    paths.push(path.iter().copied().chain([*next]).collect());
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_that_comes_back_is_named_from_its_beginning() {
        let mut waits = Waits::default();
        assert_eq!(waits.add(1, 2), Ok(()));
        assert_eq!(waits.add(2, 3), Ok(()));
        assert_eq!(waits.add(1, 3), Ok(()));
        assert_eq!(waits.add(3, 1), Err(vec![1, 3]));
        assert_eq!(waits.add(4, 4), Err(vec![4]));
        waits.remove(1, 3);
        assert_eq!(waits.add(3, 1), Err(vec![1, 2, 3]));
        waits.remove(1, 2);
        assert_eq!(waits.add(3, 1), Ok(()));
    }
    #[test]
    fn a_slot_that_is_used_again_has_no_edges_of_before() {
        let mut waits = Waits::default();
        assert_eq!(waits.add(1, 2), Ok(()));
        assert_eq!(waits.add(2, 3), Ok(()));
        waits.remove_slot(2);
        assert_eq!(waits.add(2, 1), Ok(()));
        assert_eq!(waits.add(3, 2), Ok(()));
        waits.remove(1, 2);
        assert_eq!(waits.add(1, 3), Err(vec![3, 2, 1]));
    }
}
