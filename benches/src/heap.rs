//! Bytes that are allocated now, by Rust and by SQLite, in every program that is linked with this. The one file of the package with unsafe code.

#![allow(unsafe_code, reason = "a global allocator is unsafe to write, and SQLite's counter is a C function")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

#[global_allocator]
static COUNTED: Counted = Counted { on: AtomicBool::new(false), bytes: AtomicUsize::new(0) };

/// The system's allocator, which counts once it is told to: what is timed does not count.
struct Counted {
    on: AtomicBool,
    bytes: AtomicUsize,
}

// SAFETY: all is left to the system's allocator, which is one; counting touches nothing else.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.on.load(Ordering::Relaxed) {
            self.bytes.fetch_add(layout.size(), Ordering::Relaxed);
        }
        // SAFETY: the caller promises what the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if self.on.load(Ordering::Relaxed) {
            self.bytes.fetch_sub(layout.size(), Ordering::Relaxed);
        }
        // SAFETY: the caller promises what the system's allocator asks for.
        unsafe { System.dealloc(at, layout) }
    }
}

/// Bytes of Rust and of SQLite, now. Only differences mean something: counting begins with the first call.
pub fn allocated() -> (i64, i64) {
    COUNTED.on.store(true, Ordering::Relaxed);
    // SAFETY: it may be called at any time, from any thread.
    let sqlite = unsafe { rusqlite::ffi::sqlite3_memory_used() };
    // What was there before counting may go: the difference is right in wrapping arithmetic.
    (COUNTED.bytes.load(Ordering::Relaxed) as i64, sqlite)
}
