//! What larder warns of in the app's log: once, and without arguments.

use std::{
    io,
    sync::{Arc, Mutex},
};

use larder_tests::{
    lab::Lab,
    notebook::{NoteEvent, Notebook, written},
};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn text_of(lines: &Lines) -> String {
    String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
}

#[tokio::test]
async fn a_deprecated_event_is_warned_of_once_per_process() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    for mut lab in Lab::both() {
        let store = lab.open::<Notebook>().await;
        if text_of(&lines).is_empty() {
            store.commit([NoteEvent::Starred(424_241), written(1), written(1)]).unwrap_err();
            assert!(!text_of(&lines).contains("WARN"), "it was refused: {}", text_of(&lines));
        }
        store.commit([NoteEvent::Starred(424_242), NoteEvent::Starred(424_243), written(424_244)]).unwrap();
    }
    let text = text_of(&lines);
    let warned: Vec<_> = text.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warned.len(), 1, "{text}");
    assert!(warned[0].contains("v1.NoteStarred") && warned[0].contains("stars are gone"), "{text}");
    assert!(!text.contains("42424"), "{text}");
}
