//! Keys, read on a thread of their own: a terminal is read by waiting.

use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use tokio::sync::mpsc;

/// What is pressed.
pub(super) struct Keys(mpsc::Receiver<Event>);

impl Keys {
    /// Reads from now on.
    pub(super) fn begin() -> Self {
        let (sender, receiver) = mpsc::channel(16);
        std::thread::spawn(move || {
            while let Ok(event) = event::read() {
                if sender.blocking_send(event).is_err() {
                    return;
                }
            }
        });
        Self(receiver)
    }

    /// Waits until the screen is to be drawn again, or somebody wants to leave: `false`.
    pub(super) async fn next(&mut self) -> bool {
        loop {
            match self.0.recv().await {
                Some(Event::Resize(..)) => return true,
                Some(Event::Key(key)) => {
                    let interrupts = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                    if interrupts || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                        return false;
                    }
                }
                Some(_) => {}
                None => return false,
            }
        }
    }
}
