//! Damage to what stands beside a store's file.

use larder_tests::{lab::lock_text, ledger::Mix};

use super::{
    classes::pick,
    patients::{Copy, Patient, Patients},
};

/// Changes a file beside a copy's.
fn change(
    all: &Patients,
    patient: &Patient,
    ending: &str,
    damage: impl FnOnce(&mut Vec<u8>) -> String,
) -> (Copy, String) {
    let copy = all.copy(patient);
    let mut bytes = copy.read(ending);
    let what = damage(&mut bytes);
    copy.write(ending, &bytes);
    (copy, what)
}

fn flip_one(mix: &mut Mix, bytes: &mut [u8]) -> String {
    let bit = pick(mix, bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    format!("bit {} of byte {}", bit % 8, bit / 8)
}

fn cut_one(mix: &mut Mix, bytes: &mut Vec<u8>) -> String {
    let length = pick(mix, bytes.len());
    bytes.truncate(length);
    format!("to {length} bytes")
}

pub(super) fn missing(all: &Patients, _: &mut Mix) -> (Copy, String) {
    let copy = all.copy(&all.killed);
    copy.remove("-wal");
    (copy, String::new())
}

pub(super) fn foreign(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    let patient = [&all.closed, &all.killed][pick(mix, 2)];
    let copy = all.copy(patient);
    copy.write("-wal", &all.file(&all.other, "-wal"));
    (copy, format!("beside a file that was {}", if patient.killed { "not closed" } else { "closed" }))
}

pub(super) fn earlier(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    let patient = [&all.closed, &all.killed][pick(mix, 2)];
    let copy = all.copy(patient);
    copy.write("-wal", &all.file(&all.killed_earlier, "-wal"));
    (copy, format!("beside a file that was {}", if patient.killed { "not closed" } else { "closed" }))
}

pub(super) fn before(all: &Patients, _: &mut Mix) -> (Copy, String) {
    let copy = all.copy(&all.killed);
    copy.write("-wal", &all.file(&all.killed_before, "-wal"));
    (copy, String::new())
}

pub(super) fn cut(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    change(all, &all.killed, "-wal", |bytes| cut_one(mix, bytes))
}

pub(super) fn cut_alone(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    let (copy, what) = cut(all, mix);
    copy.remove("-shm");
    (copy, what)
}

pub(super) fn flip(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    change(all, &all.killed, "-wal", |bytes| flip_one(mix, bytes))
}

pub(super) fn moved(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    let flips = mix.number().is_multiple_of(2);
    change(all, &all.moved, "-wal", |bytes| if flips { flip_one(mix, bytes) } else { cut_one(mix, bytes) })
}

pub(super) fn no_index(all: &Patients, _: &mut Mix) -> (Copy, String) {
    let copy = all.copy(&all.killed);
    copy.remove("-shm");
    (copy, String::new())
}

pub(super) fn empty_index(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    let length = [0, 3, 136, 32_768][pick(mix, 4)];
    change(all, &all.killed, "-shm", |bytes| {
        *bytes = vec![0; length];
        format!("{length} bytes")
    })
}

pub(super) fn flip_index(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    change(all, &all.killed, "-shm", |bytes| {
        // What is behind is for running processes.
        flip_one(mix, &mut bytes[..136])
    })
}

pub(super) fn lock(all: &Patients, mix: &mut Mix) -> (Copy, String) {
    let patient = [&all.closed, &all.killed][pick(mix, 2)];
    let copy = all.copy(patient);
    let left = if patient.killed { "not closed" } else { "closed" };
    let text = lock_text(1, "open sound 3");
    match pick(mix, 4) {
        0 => copy.remove(".lock"),
        1 => copy.write(".lock", &[]),
        2 => copy.write(".lock", &text.as_bytes()[..pick(mix, text.len())]),
        _ => copy.write(".lock", &(0..128).map(|_| mix.number() as u8).collect::<Vec<_>>()),
    }
    (copy, format!("of a file that was {left}"))
}
