//! What this thread is inside of: a materializer, or a `read`, of which store. It turns a deadlock into an error.

use std::cell::RefCell;

use crate::primitives::thread_local;

/// What a thread is inside of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inside {
    /// A materializer.
    Materializer,
    /// A closure of `read`.
    Read,
}

thread_local! {
    static STACK: RefCell<Vec<(usize, Inside)>> = const { RefCell::new(Vec::new()) };
}

/// Leaves when dropped, also by a panic.
pub(crate) struct Entered(());

/// Enters; `store` tells stores apart.
pub(crate) fn enter(store: usize, what: Inside) -> Entered {
    STACK.with(|stack| stack.borrow_mut().push((store, what)));
    Entered(())
}

/// The innermost thing of this store that the thread is inside of; a materializer counts before a read.
pub(crate) fn inside(store: usize) -> Option<Inside> {
    STACK.with(|stack| {
        let stack = stack.borrow();
        let mut all = stack.iter().filter(|(of, _)| *of == store).map(|(_, what)| *what);
        all.clone().find(|what| *what == Inside::Materializer).or_else(|| all.next())
    })
}

impl Drop for Entered {
    fn drop(&mut self) {
        STACK.with(|stack| stack.borrow_mut().pop());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_is_known_and_left() {
        assert_eq!(inside(1), None);
        let outer = enter(1, Inside::Read);
        {
            let _inner = enter(1, Inside::Materializer);
            assert_eq!((inside(1), inside(2)), (Some(Inside::Materializer), None));
        }
        assert_eq!(inside(1), Some(Inside::Read));
        drop(outer);
        assert_eq!(inside(1), None);
    }
}
