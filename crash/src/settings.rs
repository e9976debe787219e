//! A client document of the ledgers: what was set last, and how much it says beside that.

use larder::Document;

/// How somebody looks at a ledger. The one field follows from the other, so that half of a change is seen.
#[derive(Document, Clone, Debug, Default, PartialEq)]
#[document(name = "settings")]
pub struct Settings {
    /// Counts from 1 with each change; 0 when nothing was set yet.
    pub counter: i64,
    /// As many letters as the counter says, and what is repeated of them.
    pub note: String,
}

/// The one document of a ledger.
pub(crate) const ID: &str = "main";

impl Settings {
    /// The value after so many changes.
    pub fn after(counter: i64) -> Self {
        let length = usize::try_from(counter * 40 % 700).unwrap_or(0);
        Self { counter, note: "n".repeat(length) }
    }

    /// It is the value after some change, and that is not before the one that was told.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn check(&self, told: i64) -> Result<(), String> {
        if *self != Self::after(self.counter) {
            return Err(format!("half of the settings: {self:?}"));
        }
        if self.counter >= told {
            Ok(())
        } else {
            Err(format!("LOST: {told} changes returned, {} are there", self.counter))
        }
    }
}
