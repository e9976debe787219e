//! Queries and conditions kept to the rows of one source: what a projection's materializer sees.

use std::borrow::Cow;

use super::{
    Comparison, Reads,
    predicate::{Condition, Step},
    spec::SelectSpec,
};
use crate::value::Value;

/// How [`SourceId::this`](crate::SourceId::this) is written until the source is known: no id is empty.
pub(crate) const THIS: &str = "";

impl SelectSpec {
    /// The same on rows of the source that `on` is kept to. What is joined to them is the source's, too: a reference holds the whole key, and
    /// that begins with the source.
    pub(super) fn within(&self, on: &dyn Reads) -> Cow<'_, Self> {
        match on.source() {
            Some(source) => {
                let mut spec = self.clone();
                spec.keep_to(source);
                Cow::Owned(spec)
            }
            None => Cow::Borrowed(self),
        }
    }

    /// Only rows of this source.
    pub(crate) fn keep_to(&mut self, source: &str) {
        let this = Value::Text(source.to_owned());
        let conditions = [&mut self.condition].into_iter().chain(self.joins.iter_mut().map(|join| &mut join.condition));
        conditions.for_each(|condition| name_source(condition, &this));
        let is_own = Step::Compare { column: 0, comparison: Comparison::Eq, value: this };
        self.restrict(0, Condition { steps: vec![is_own], error: None });
    }
}

/// Puts the source where a condition names it.
fn name_source(condition: &mut Condition, source: &Value) {
    let name = |value: &mut Value| {
        if matches!(value, Value::Text(text) if text == THIS) {
            *value = source.clone();
        }
    };
    for step in &mut condition.steps {
        match step {
            Step::Compare { column: 0, value, .. } => name(value),
            Step::AnyOf { column: 0, values } => values.iter_mut().for_each(name),
            _ => {}
        }
    }
}
