//! Bytes that are allocated now, by Rust and by SQLite, in every program that is linked with this. The one file of the package with unsafe code.

#![allow(unsafe_code, reason = "a global allocator is unsafe to write, and SQLite's counter is a C function")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
};

#[global_allocator]
static COUNTED: Counted = Counted { on: AtomicBool::new(false), bytes: AtomicI64::new(0), most: AtomicI64::new(0) };

/// The system's allocator, which counts once it is told to: what is timed does not count.
struct Counted {
    on: AtomicBool,
    bytes: AtomicI64,
    most: AtomicI64,
}

// SAFETY: all is left to the system's allocator, which is one; counting touches nothing else.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.on.load(Ordering::Relaxed) {
            let size = layout.size() as i64;
            let now = self.bytes.fetch_add(size, Ordering::Relaxed) + size;
            self.most.fetch_max(now, Ordering::Relaxed);
        }
        // SAFETY: the caller promises what the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if self.on.load(Ordering::Relaxed) {
            self.bytes.fetch_sub(layout.size() as i64, Ordering::Relaxed);
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
    // What was there before counting may go: then there are fewer than none.
    (COUNTED.bytes.load(Ordering::Relaxed), sqlite)
}

/// The most that there was of both since the last [`watch`], which need not have been at one time.
pub fn most() -> (i64, i64) {
    // SAFETY: it may be called at any time, from any thread.
    let sqlite = unsafe { rusqlite::ffi::sqlite3_memory_highwater(0) };
    (COUNTED.most.load(Ordering::Relaxed), sqlite)
}

/// From now on [`most`] looks.
pub fn watch() {
    let (now, _) = allocated();
    COUNTED.most.store(now, Ordering::Relaxed);
    // SAFETY: it may be called at any time, from any thread; it begins anew with what there is now.
    unsafe { rusqlite::ffi::sqlite3_memory_highwater(1) };
}
