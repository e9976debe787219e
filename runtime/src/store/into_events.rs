//! What `commit` takes: one event, an array, a slice, a `Vec`.

/// Events of store definition `D`, whose events are `E`: one, an array, a slice of events that can be cloned, or a `Vec`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event of `{D}`",
    label = "`{D}` takes `{E}`: one, an array, or a `Vec`"
)]
pub trait IntoEvents<D, E> {
    /// The events in order.
    fn into_events(self) -> Vec<E>;
}

#[diagnostic::do_not_recommend]
impl<D, E: crate::event::Event> IntoEvents<D, E> for E {
    fn into_events(self) -> Vec<E> {
        vec![self]
    }
}

#[diagnostic::do_not_recommend]
impl<D, E: crate::event::Event, const N: usize> IntoEvents<D, E> for [E; N] {
    fn into_events(self) -> Vec<E> {
        self.into()
    }
}

#[diagnostic::do_not_recommend]
impl<D, E: crate::event::Event> IntoEvents<D, E> for Vec<E> {
    fn into_events(self) -> Vec<E> {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<D, E: crate::event::Event + Clone> IntoEvents<D, E> for &[E] {
    fn into_events(self) -> Vec<E> {
        self.to_vec()
    }
}
