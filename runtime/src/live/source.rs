//! What a computed value is made of.

use std::{sync::Arc, task::Waker};

use super::{
    Computed, Live, Signal, Subscription,
    slot::{AnyNode, Refreshed, Versioned},
};
use crate::{error::QueryError, store::Observer};

/// One thing that a [`Computed`] can be made of: a [`Subscription`], a [`Signal`], another [`Computed`]; the last two by reference, too.
#[diagnostic::on_unimplemented(
    message = "nothing can be computed of `{Self}`",
    label = "expected a `Subscription`, a `Signal`, a `Computed`, or a tuple of these"
)]
pub trait Source {
    /// What the function gets, in an `Arc`.
    type Value: Send + Sync + 'static;

    #[doc(hidden)]
    fn __input(self) -> Input<Self::Value>;
}

/// What a [`Computed`] is made of: one [`Source`], or a tuple of up to six.
#[diagnostic::on_unimplemented(
    message = "nothing can be computed of `{Self}`",
    label = "expected a `Subscription`, a `Signal`, a `Computed`, or a tuple of these"
)]
pub trait Sources {
    /// What the function gets: an `Arc` of the source's value, or a tuple of these.
    type Values: 'static;

    #[doc(hidden)]
    fn __inputs(self) -> Box<dyn Inputs<Self::Values>>;
}

/// One input, whatever it is.
#[doc(hidden)]
pub struct Input<T>(Feed<T>);

enum Feed<T> {
    /// A query, with what keeps its store.
    Query(
        AnyNode<Live<Arc<T>>>,
        #[expect(dead_code, reason = "held until the computed value is gone")] Option<Observer>,
    ),
    /// A value without a store.
    Plain(AnyNode<Arc<T>>),
}

/// All inputs of one computed value.
#[doc(hidden)]
pub trait Inputs<V>: Send + Sync {
    fn pull(&self) -> Pulled<V>;
    fn now(&self) -> Result<V, QueryError>;
    fn watch(&self, who: u64, waker: &Waker);
    fn leave(&self, who: u64);
}

/// What inputs answer.
#[doc(hidden)]
pub enum Pulled<V> {
    /// Somebody else computes one of them.
    Busy,
    /// Which ones they are, and the values or the first error.
    Is { versions: Vec<u64>, values: Result<V, QueryError> },
}

impl<T> Input<T> {
    fn refresh(&self) -> Refreshed<Arc<T>> {
        match &self.0 {
            Feed::Plain(node) => node.refresh(),
            Feed::Query(node, _) => match node.refresh() {
                Refreshed::Busy => Refreshed::Busy,
                Refreshed::Is(Versioned { version, result }) => {
                    Refreshed::Is(Versioned { version, result: result.map(Live::into_inner) })
                }
            },
        }
    }

    fn now(&self) -> Result<Arc<T>, QueryError> {
        match &self.0 {
            Feed::Plain(node) => node.now(),
            Feed::Query(node, _) => node.now().map(Live::into_inner),
        }
    }

    fn watch(&self, who: u64, waker: &Waker) {
        match &self.0 {
            Feed::Plain(node) => node.watch(who, waker),
            Feed::Query(node, _) => node.watch(who, waker),
        }
    }

    fn leave(&self, who: u64) {
        match &self.0 {
            Feed::Plain(node) => node.leave(who),
            Feed::Query(node, _) => node.leave(who),
        }
    }
}

impl<T: Send + Sync + 'static> Source for Subscription<T> {
    type Value = T;

    fn __input(mut self) -> Input<T> {
        let (node, observer) = self.parts();
        Input(Feed::Query(node, observer))
    }
}

impl<T: PartialEq + Send + Sync + 'static> Source for Signal<T> {
    type Value = T;

    fn __input(self) -> Input<T> {
        Input(Feed::Plain(self.node()))
    }
}

impl<T: PartialEq + Send + Sync + 'static> Source for &Signal<T> {
    type Value = T;

    fn __input(self) -> Input<T> {
        Input(Feed::Plain(self.node()))
    }
}

impl<T: Send + Sync + 'static> Source for Computed<T> {
    type Value = T;

    fn __input(self) -> Input<T> {
        Input(Feed::Plain(self.node()))
    }
}

impl<T: Send + Sync + 'static> Source for &Computed<T> {
    type Value = T;

    fn __input(self) -> Input<T> {
        Input(Feed::Plain(self.node()))
    }
}

#[diagnostic::do_not_recommend]
impl<S: Source> Sources for S {
    type Values = Arc<S::Value>;

    fn __inputs(self) -> Box<dyn Inputs<Self::Values>> {
        Box::new(self.__input())
    }
}

impl<T: Send + Sync> Inputs<Arc<T>> for Input<T> {
    fn pull(&self) -> Pulled<Arc<T>> {
        match self.refresh() {
            Refreshed::Busy => Pulled::Busy,
            Refreshed::Is(Versioned { version, result }) => Pulled::Is { versions: vec![version], values: result },
        }
    }

    fn now(&self) -> Result<Arc<T>, QueryError> {
        self.now()
    }

    fn watch(&self, who: u64, waker: &Waker) {
        self.watch(who, waker);
    }

    fn leave(&self, who: u64) {
        self.leave(who);
    }
}

macro_rules! tuples {
    ($(($($source:ident $value:ident $field:tt),+)),+ $(,)?) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($source: Source),+> Sources for ($($source,)+) {
            type Values = ($(Arc<$source::Value>,)+);

            fn __inputs(self) -> Box<dyn Inputs<Self::Values>> {
                Box::new(($(self.$field.__input(),)+))
            }
        }

        impl<$($value: Send + Sync),+> Inputs<($(Arc<$value>,)+)> for ($(Input<$value>,)+) {
            fn pull(&self) -> Pulled<($(Arc<$value>,)+)> {
                let mut versions = Vec::new();
                let results = ($(match self.$field.refresh() {
                    Refreshed::Busy => return Pulled::Busy,
                    Refreshed::Is(Versioned { version, result }) => {
                        versions.push(version);
                        result
                    }
                },)+);
                let values = (|| Ok(($(results.$field?,)+)))();
                Pulled::Is { versions, values }
            }

            fn now(&self) -> Result<($(Arc<$value>,)+), QueryError> {
                Ok(($(self.$field.now()?,)+))
            }

            fn watch(&self, who: u64, waker: &Waker) {
                $(self.$field.watch(who, waker);)+
            }

            fn leave(&self, who: u64) {
                $(self.$field.leave(who);)+
            }
        }
    )+};
}

tuples!(
    (A T 0),
    (A T 0, B U 1),
    (A T 0, B U 1, C V 2),
    (A T 0, B U 1, C V 2, D W 3),
    (A T 0, B U 1, C V 2, D W 3, E X 4),
    (A T 0, B U 1, C V 2, D W 3, E X 4, F Y 5),
);
