//! A condition as a tree that SQL can hold: negations stand at the tests, `and` of `and` is one list.

use super::predicate::{Condition, Step};

/// A condition as a tree; a node's parts come after it in `nodes`.
pub(super) struct Logic<'a> {
    pub(super) nodes: Vec<Node<'a>>,
}

/// One node, and how large the tree below it is.
pub(super) struct Node<'a> {
    pub(super) kind: NodeKind<'a>,
    /// Tests in it.
    pub(super) tests: usize,
    /// Levels of SQL expression in it, when a list is written as a balanced tree.
    pub(super) depth: usize,
}

pub(super) enum NodeKind<'a> {
    /// One test, negated or not.
    Test { step: &'a Step, negated: bool },
    /// All parts hold, or any.
    List { all: bool, parts: Vec<usize> },
}

/// A step's place and those of the conditions that it joins.
#[derive(Clone, Copy)]
enum Joined {
    Test,
    Not(usize),
    Two { all: bool, left: usize, right: usize },
}

impl<'a> Logic<'a> {
    /// The tree of a condition; `None` for a condition without steps, which every row meets.
    pub(super) fn of(condition: &'a Condition) -> Option<Self> {
        let root = condition.steps.len().checked_sub(1)?;
        let joined = joined(&condition.steps);
        let mut logic = Self { nodes: Vec::with_capacity(condition.steps.len()) };
        // A step, whether it is negated, and the list that it goes to. The left part is on top of the right one.
        let mut open = vec![(root, false, None)];
        while let Some((at, negated, list)) = open.pop() {
            match joined[at] {
                Joined::Test => logic.add(NodeKind::Test { step: &condition.steps[at], negated }, list),
                Joined::Not(part) => {
                    open.push((part, !negated, list));
                    continue;
                }
                Joined::Two { all, left, right } => {
                    let all = all != negated;
                    let list = match list {
                        Some(list) if logic.is_list(list, all) => list,
                        _ => logic.add_list(all, list),
                    };
                    open.push((right, negated, Some(list)));
                    open.push((left, negated, Some(list)));
                    continue;
                }
            };
        }
        logic.measure();
        Some(logic)
    }

    fn is_list(&self, node: usize, wanted: bool) -> bool {
        matches!(self.nodes[node].kind, NodeKind::List { all, .. } if all == wanted)
    }

    fn add_list(&mut self, all: bool, list: Option<usize>) -> usize {
        self.add(NodeKind::List { all, parts: Vec::new() }, list);
        self.nodes.len() - 1
    }

    fn add(&mut self, kind: NodeKind<'a>, list: Option<usize>) {
        let node = self.nodes.len();
        self.nodes.push(Node { kind, tests: 1, depth: TEST_DEPTH });
        if let Some(Node { kind: NodeKind::List { parts, .. }, .. }) = list.map(|list| &mut self.nodes[list]) {
            parts.push(node);
        }
    }

    /// Parts come after their lists, so that one way from the back sees each part before its list.
    fn measure(&mut self) {
        for index in (0..self.nodes.len()).rev() {
            if let NodeKind::List { parts, .. } = &self.nodes[index].kind {
                let tests = parts.iter().map(|part| self.nodes[*part].tests).sum();
                let deepest = parts.iter().map(|part| self.nodes[*part].depth).max().unwrap_or(0);
                let levels = parts.len().next_power_of_two().trailing_zeros() as usize;
                (self.nodes[index].tests, self.nodes[index].depth) = (tests, deepest + levels);
            }
        }
    }
}

/// A test is a comparison of a column and a value, sometimes with `OR .. IS NULL`.
const TEST_DEPTH: usize = 4;

fn joined(steps: &[Step]) -> Vec<Joined> {
    let mut stack: Vec<usize> = Vec::new();
    let mut joined = Vec::with_capacity(steps.len());
    for (at, step) in steps.iter().enumerate() {
        // Predicates are made of whole parts, so that the stack is never short.
        let entry = match step {
            Step::Not => stack.pop().map(Joined::Not),
            Step::And | Step::Or => {
                let right = stack.pop();
                let all = matches!(step, Step::And);
                stack.pop().zip(right).map(|(left, right)| Joined::Two { all, left, right })
            }
            _ => Some(Joined::Test),
        };
        joined.push(entry.unwrap_or(Joined::Test));
        stack.push(at);
    }
    joined
}
