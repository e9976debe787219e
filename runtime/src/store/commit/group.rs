//! Group commit: several commits in one transaction, each in its savepoint.

use super::{
    CommitErrorKind, CommitWork, Engine, Failed, Outcome, Tip, Writer, apply, failed,
    plan::{Fate, Group},
    queue::Lead,
};
use crate::{event::EventNumber, seeded, storage::sqlite::SqliteError};

/// One commit of a group.
struct Member<'a> {
    work: &'a dyn CommitWork,
    numbers: Vec<EventNumber>,
    /// How many rows had changed when its savepoint was released.
    changes_end: usize,
    error: Option<Box<CommitErrorKind>>,
}

impl Engine {
    /// Commits `own` and the taken jobs; answers the jobs and returns the outcome of `own`.
    pub(super) fn commit_group(
        &self,
        writer: &mut Writer,
        own: Option<&dyn CommitWork>,
        lead: &mut Lead<'_>,
    ) -> Option<Outcome> {
        if self.gate.check_write().is_err() {
            lead.refuse_all(&|| self.closed());
            return own.map(|_| Err(self.closed()));
        }
        let works: Vec<_> = lead.jobs().iter().map(|job| job.work()).collect();
        let mut members: Vec<_> =
            own.into_iter().chain(works.iter().map(|work| &***work as &dyn CommitWork)).map(Member::new).collect();
        self.follow_listeners(writer);
        let group = self.run_group(writer, &mut members);
        let mut outcomes = self.outcomes(writer, &group, &mut members).into_iter();
        let own_outcome = own.and_then(|_| outcomes.next());
        lead.jobs().iter().zip(outcomes).for_each(|(job, outcome)| job.ticket.finish(outcome));
        own_outcome
    }

    /// The shared transaction.
    fn run_group(&self, writer: &mut Writer, members: &mut [Member<'_>]) -> Group {
        let mut group = Group::new(members.len());
        let mut tip = writer.tip;
        if let Err(error) = writer.begin() {
            writer.roll_back();
            // A failed sync poisons the store, and is not tried again. Of all else each hears by itself, when it begins alone.
            self.explain(failed(&self.shared, error));
            group.rolled_back();
            return group;
        }
        while let Some(at) = group.next() {
            match self.run_member(writer, tip, &mut members[at]) {
                Ok(next) => {
                    tip = next;
                    group.applied(at);
                }
                Err(failure) => {
                    members[at].error = Some(self.explain(failure));
                    group.failed(at);
                    if !writer.connection.in_transaction() {
                        writer.roll_back();
                        group.rolled_back();
                    }
                }
            }
        }
        if writer.connection.in_transaction() {
            self.end_group(writer, &mut group, tip, members);
        }
        group
    }

    fn end_group(&self, writer: &mut Writer, group: &mut Group, tip: Tip, members: &mut [Member<'_>]) {
        if let Err(error) = writer.commit() {
            self.undo(writer, Some(&error));
            // A failed sync poisons the store; then trying alone answers with that.
            self.explain(failed(&self.shared, error));
            group.rolled_back();
            return;
        }
        writer.tip = tip;
        let applied = members.iter().zip(group.fates()).filter(|(_, fate)| **fate == Fate::Applied);
        self.publish_changes(writer, applied.map(|(member, _)| (member.numbers.as_slice(), member.changes_end)));
        self.published.set(&tip.head);
    }

    /// One commit in its savepoint.
    fn run_member(&self, writer: &mut Writer, tip: Tip, member: &mut Member<'_>) -> Result<Tip, Failed> {
        let mark = writer.connection.changes_mark();
        let sqlite = |error| failed(&self.shared, error);
        writer.connection.execute("SAVEPOINT larder_commit", &[]).map_err(sqlite)?;
        let applied = apply(writer, &self.shared, self.address(), tip, member.work, &mut member.numbers);
        let ended = end_savepoint(writer, applied.is_err().then_some(&tip), mark);
        if let Err(error) = ended {
            // Half a commit may be left in the transaction: nobody gets it.
            writer.roll_back();
            return Err(sqlite(error));
        }
        if applied.is_err() {
            member.numbers.clear();
        }
        member.changes_end = writer.connection.changes_mark();
        applied
    }

    /// Tries alone whoever lost its transaction, and gathers the answers.
    fn outcomes(&self, writer: &mut Writer, group: &Group, members: &mut [Member<'_>]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(members.len());
        for (member, fate) in members.iter_mut().zip(group.fates()) {
            outcomes.push(match (fate, member.error.take()) {
                (Fate::Applied, _) => Ok(self.committed(std::mem::take(&mut member.numbers))),
                (Fate::Failed, Some(error)) => Err(error),
                _ => self.commit_alone(writer, member.work),
            });
        }
        outcomes
    }
}

/// Releases a commit's savepoint, after taking back what it did behind the tip if it failed.
fn end_savepoint(writer: &mut Writer, failed: Option<&Tip>, mark: usize) -> Result<(), SqliteError> {
    if let Some(tip) = failed.filter(|_| writer.connection.in_transaction() && !seeded::bug("savepoint-kept")) {
        writer.connection.execute("ROLLBACK TO larder_commit", &[])?;
        writer.taken_back(tip, mark);
    }
    if writer.connection.in_transaction() {
        writer.connection.execute("RELEASE larder_commit", &[])?;
    }
    Ok(())
}

impl<'a> Member<'a> {
    fn new(work: &'a dyn CommitWork) -> Self {
        Self { work, numbers: Vec::new(), changes_end: 0, error: None }
    }
}
