//! Who commits: one thread at a time leads, the others queue and are committed along with the next group.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError},
};

use super::{CommitWork, Outcome, plan::group_size};
use crate::{
    error::CommitErrorKind,
    primitives::{Condvar, Mutex, MutexGuard},
    seeded,
    store::inside::Waiting,
};

/// The commits that wait for the writer.
#[derive(Default)]
pub(crate) struct CommitQueue {
    state: Mutex<QueueState>,
}

#[derive(Default)]
struct QueueState {
    leading: bool,
    waiting: VecDeque<Arc<Job>>,
}

/// A commit that waits, owned by its caller and by the queue.
pub(super) struct Job {
    /// Only the leader looks at it; the lock is for an app's events that only one thread at a time may see.
    work: Mutex<Box<dyn CommitWork + Send>>,
    size: usize,
    pub(super) ticket: Ticket,
}

impl Job {
    pub(super) fn new(work: Box<dyn CommitWork + Send>, ticket: Ticket) -> Self {
        Self { size: work.events().len(), work: Mutex::new(work), ticket }
    }

    pub(super) fn work(&self) -> MutexGuard<'_, Box<dyn CommitWork + Send>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a waiting commit hears of its outcome.
#[derive(Default)]
pub(super) struct Ticket {
    answer: Mutex<Answer>,
    // Waited on with the queue's lock.
    wake: Condvar,
    waiting: Mutex<Option<Waiting>>,
}

#[derive(Default)]
enum Answer {
    #[default]
    Open,
    Given(Outcome),
    /// Whoever waited has it, and may be gone.
    Taken,
}

impl Ticket {
    /// Of a thread that perhaps holds another store.
    pub(super) fn waiting(waiting: Option<Waiting>) -> Self {
        Self { waiting: Mutex::new(waiting), ..Self::default() }
    }

    /// What is to be dropped as soon as the thread waits no more.
    pub(super) fn stop_waiting(&self) -> Option<Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn finish(&self, outcome: Outcome) {
        drop(self.stop_waiting());
        let mut answer = self.answer();
        if matches!(*answer, Answer::Open) {
            *answer = Answer::Given(outcome);
        }
    }

    fn take(&self) -> Option<Outcome> {
        let mut answer = self.answer();
        match std::mem::replace(&mut *answer, Answer::Taken) {
            Answer::Given(outcome) => Some(outcome),
            other => {
                *answer = other;
                None
            }
        }
    }

    fn is_answered(&self) -> bool {
        !matches!(*self.answer(), Answer::Open)
    }

    fn answer(&self) -> MutexGuard<'_, Answer> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a waiting commit is to do.
pub(super) enum Turn {
    /// It was committed, or failed, along with a group.
    Done(Outcome),
    /// Nobody leads: it does.
    Lead,
}

impl CommitQueue {
    /// Whether the caller leads now; if not, it must queue.
    pub(super) fn try_lead(&self) -> bool {
        let mut state = self.lock();
        !std::mem::replace(&mut state.leading, true)
    }

    /// Queues a commit.
    pub(super) fn push(&self, job: Arc<Job>) {
        self.lock().waiting.push_back(job);
    }

    /// Waits for the outcome of a queued commit, or to lead.
    pub(super) fn wait(&self, ticket: &Ticket) -> Turn {
        let mut state = self.lock();
        loop {
            if let Some(outcome) = ticket.take() {
                return Turn::Done(outcome);
            }
            if !state.leading {
                state.leading = true;
                return Turn::Lead;
            }
            state = ticket.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How many wait.
    pub(in crate::store) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// What the leader holds; leading ends when it is dropped.
    pub(super) fn lead(&self) -> Lead<'_> {
        Lead { queue: self, jobs: Vec::new() }
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leading, and the waiting commits that were taken into the group.
pub(super) struct Lead<'a> {
    queue: &'a CommitQueue,
    jobs: Vec<Arc<Job>>,
}

impl Lead<'_> {
    /// Takes what waits now, as much as fits.
    pub(super) fn take_group(&mut self, own_events: usize) {
        let mut state = self.queue.lock();
        if !state.waiting.is_empty() {
            let count = group_size(own_events, state.waiting.iter().map(|job| job.size));
            let count = if seeded::bug("group-of-one") { usize::from(own_events == 0) } else { count };
            self.jobs = state.waiting.drain(..count).collect();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    pub(super) fn jobs(&self) -> &[Arc<Job>] {
        &self.jobs
    }

    /// Answers all with an error.
    pub(super) fn refuse_all(&self, error: &dyn Fn() -> Box<CommitErrorKind>) {
        self.jobs.iter().for_each(|job| job.ticket.finish(Err(error())));
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.leading = false;
        // Without an answer only if the leader panicked outside of all user code: they wait on, and one of them leads.
        let (done, lost): (Vec<_>, Vec<_>) = self.jobs.drain(..).partition(|job| job.ticket.is_answered());
        lost.into_iter().rev().for_each(|job| state.waiting.push_front(job));
        done.iter().for_each(|job| job.ticket.wake.notify_one());
        if let Some(first) = state.waiting.front() {
            first.ticket.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::EventContext,
        storage::sqlite::Connection,
        store::{
            commit::{Committed, EncodedEvent},
            replay::Unapplied,
        },
    };

    struct Nothing;

    impl CommitWork for Nothing {
        fn events(&self) -> &[EncodedEvent] {
            &[]
        }

        fn materialize(&self, _: usize, _: &EventContext, _: &mut Connection) -> Result<(), Unapplied> {
            Ok(())
        }
    }

    fn leading() -> (CommitQueue, Arc<Job>) {
        let (queue, job) = (CommitQueue::default(), Arc::new(Job::new(Box::new(Nothing), Ticket::default())));
        assert!(queue.try_lead());
        queue.push(Arc::clone(&job));
        (queue, job)
    }

    #[test]
    fn a_commit_that_took_its_answer_before_leading_ended_does_not_queue_again() {
        let (queue, job) = leading();
        let mut lead = queue.lead();
        lead.take_group(1);
        job.ticket.finish(Ok(Committed::default()));
        assert!(matches!(queue.wait(&job.ticket), Turn::Done(Ok(_))));
        drop(lead);
        assert_eq!(queue.waiting(), 0);
        assert!(queue.try_lead());
    }

    #[test]
    fn a_commit_without_an_answer_waits_on_and_leads() {
        let (queue, job) = leading();
        let mut lead = queue.lead();
        lead.take_group(1);
        drop(lead);
        assert_eq!(queue.waiting(), 1);
        assert!(matches!(queue.wait(&job.ticket), Turn::Lead));
    }
}
