//! Queries over many stores, loaded or not.

mod live;
mod stores;

use larder::{StoreId, prelude::*};
use larder_tests::lab::Lab;

use crate::board::{BoardEvent, BoardStore, Card, added};

/// The ids of these boards.
fn ids(numbers: impl IntoIterator<Item = i64>) -> Vec<StoreId> {
    numbers.into_iter().map(|number| format!("board:{number}").parse().expect("an id")).collect()
}

/// Makes boards whose cards have their own number and the tenfold of it, and closes them.
async fn boards(lab: &mut Lab, numbers: impl IntoIterator<Item = i64>) {
    for id in ids(numbers) {
        let number: i64 = id.as_str()[6..].parse().expect("a number");
        let store = lab.registry().get::<BoardStore>(&id).await.expect("it opens");
        store.commit([added(number), weighing(number * 10, number as f64)]).expect("it commits");
        drop(store);
        lab.registry().evict::<BoardStore>(&id).await.expect("it closes");
    }
}

fn weighing(number: i64, weight: f64) -> BoardEvent {
    BoardEvent::Added { number, weight: Some(weight) }
}

/// The numbers of cards, with those of their boards.
fn numbers(rows: &[(StoreId, Card)]) -> Vec<(&str, i64)> {
    rows.iter().map(|(id, card)| (&id.as_str()[6..], card.number)).collect()
}

fn newest() -> Select<Card> {
    Card::all().order_by(Card::NUMBER.desc())
}
