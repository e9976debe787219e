//! Between larder and the operating system: the C library's calls that change files, answered here first.
//!
//! The functions below have the names of the C library's, so the linker gives them to everybody in this binary: to SQLite, which is
//! C, and to `std::fs`. A call about a watched folder goes through its [`Watch`]; any other goes straight to the kernel. Nothing in
//! larder knows of this, so what is tested is what is shipped; and no call can be forgotten, because what was recorded is compared
//! with what is really in the files afterwards.

#![allow(
    unsafe_code,
    reason = "the C library's functions are called and defined with raw pointers; everything else in this crate is safe"
)]

use std::{
    ffi::{CStr, OsStr, c_char, c_int, c_long, c_uint, c_void},
    os::unix::ffi::OsStrExt as _,
    path::Path,
    ptr,
    sync::{
        Once,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use crate::watch::{self, Call, Watch};

/// Descriptors beyond are not watched; the tests open some dozens.
const DESCRIPTORS: usize = 16_384;

/// What is open at each descriptor: the watch's key in the upper half, the file's number in the lower; 0 when it is not watched.
static OPEN: [AtomicU64; DESCRIPTORS] = [const { AtomicU64::new(0) }; DESCRIPTORS];

/// Lets SQLite not count its memory: all threads would wait for the one lock of the counters, twice for each allocation, and checks take
/// twice as long. SQLite refuses where it is in use already, and counts on.
pub(crate) fn leave_memory_uncounted() {
    static ONCE: Once = Once::new();
    // SAFETY: the option takes one integer. SQLite asks that no other thread is in `sqlite3_config` or initializes it meanwhile: labs, which
    // this comes before, are the first that use it, and each waits here.
    ONCE.call_once(|| unsafe {
        rusqlite::ffi::sqlite3_config(rusqlite::ffi::SQLITE_CONFIG_MEMSTATUS, 0);
    });
}

/// Keeps this thread, and those that it starts, on one processor: those of one check wait for each other all the time, and are several
/// times as fast where nothing has to be woken on another processor. Where the kernel refuses, they stay where they are.
pub(crate) fn stay_on_one_processor() {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let size = size_of::<libc::cpu_set_t>();
    // SAFETY: a set of processors is bits, for which zero is a value; the kernel writes and reads at most `size` bytes of it, and numbers
    // are below `CPU_SETSIZE`, which is how many the set has room for.
    unsafe {
        let (mut allowed, mut one) = std::mem::zeroed::<(libc::cpu_set_t, libc::cpu_set_t)>();
        if libc::sched_getaffinity(0, size, &raw mut allowed) != 0 {
            return;
        }
        let numbers: Vec<_> = (0..libc::CPU_SETSIZE as usize).filter(|at| libc::CPU_ISSET(*at, &allowed)).collect();
        if let Some(number) = numbers.get(NEXT.fetch_add(1, Ordering::Relaxed) % numbers.len().max(1)) {
            libc::CPU_SET(*number, &mut one);
            libc::sched_setaffinity(0, size, &raw const one);
        }
    }
}

/// What the kernel answered: a result, or the number of an error.
type Answer = Result<c_long, c_int>;

/// Makes a call of the kernel.
macro_rules! kernel {
    ($number:ident $(, $argument:expr)*) => {{
        // SAFETY: the arguments are those that the caller gave to the C library's function of this name, which has the same contract.
        let answer = unsafe { libc::syscall(libc::$number $(, $argument)*) };
        if answer < 0 { Err(errno()) } else { Ok(answer) }
    }};
}

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

/// Gives an answer to a caller in C: `-1` and the error's number for an error.
fn give(answer: Answer) -> c_long {
    answer.unwrap_or_else(|error| {
        // SAFETY: the pointer is this thread's `errno`, which lives as long as the thread.
        unsafe { *libc::__errno_location() = error };
        -1
    })
}

/// The watch of a descriptor, and the number of its file.
fn watched(descriptor: c_int) -> Option<(std::sync::Arc<Watch>, u32)> {
    let entry = OPEN.get(usize::try_from(descriptor).ok()?)?.load(Ordering::Acquire);
    if entry == 0 {
        return None;
    }
    let file = u32::try_from(entry & 0xffff_ffff).ok()?;
    Some((watch::by_key((entry >> 32) as u32)?, file))
}

/// A path that a caller in C gave.
///
/// # Safety
/// As of [`CStr::from_ptr`].
unsafe fn path_of<'a>(path: *const c_char) -> &'a Path {
    // SAFETY: the caller of the C function promised a text that ends with a zero.
    Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()))
}

/// The bytes that a caller in C wants to write.
///
/// # Safety
/// As of [`std::slice::from_raw_parts`], for as long as the caller's call lasts.
unsafe fn bytes_of<'a>(bytes: *const c_void, count: usize) -> &'a [u8] {
    if count == 0 {
        return &[];
    }
    // SAFETY: the caller of the C function promised so many bytes.
    unsafe { std::slice::from_raw_parts(bytes.cast(), count) }
}

fn open_at(path: &Path, raw: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    let real = || kernel!(SYS_openat, libc::AT_FDCWD, raw, flags, mode);
    let Some(watch) = watch::of_path(path) else {
        return give(watch::unwatched_open().map_or_else(real, Err)) as c_int;
    };
    let call = Call::Open {
        path,
        creates: flags & libc::O_CREAT != 0,
        truncates: flags & libc::O_TRUNC != 0,
        writes: flags & libc::O_ACCMODE != libc::O_RDONLY,
    };
    let (answer, file) = watch.open(call, real);
    if let (Ok(descriptor), Some(file)) = (answer, file)
        && let Some(slot) = usize::try_from(descriptor).ok().and_then(|at| OPEN.get(at))
    {
        slot.store(u64::from(watch.key()) << 32 | u64::from(file), Ordering::Release);
    }
    give(answer) as c_int
}

/// # Safety
/// As of the C library's `open`.
#[unsafe(no_mangle)]
unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller promised what `open` asks for.
    open_at(unsafe { path_of(path) }, path, flags, mode)
}

/// # Safety
/// As of the C library's `open64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller promised what `open64` asks for.
    open_at(unsafe { path_of(path) }, path, flags, mode)
}

#[unsafe(no_mangle)]
extern "C" fn close(descriptor: c_int) -> c_int {
    if let Some(slot) = usize::try_from(descriptor).ok().and_then(|at| OPEN.get(at)) {
        slot.store(0, Ordering::Release);
    }
    give(kernel!(SYS_close, descriptor)) as c_int
}

fn write_at(descriptor: c_int, bytes: &[u8], at: Option<i64>) -> isize {
    let real = || match at {
        Some(at) => kernel!(SYS_pwrite64, descriptor, bytes.as_ptr(), bytes.len(), at),
        None => kernel!(SYS_write, descriptor, bytes.as_ptr(), bytes.len()),
    };
    let Some((watch, file)) = watched(descriptor) else { return give(real()) as isize };
    let position = at.map_or_else(|| kernel!(SYS_lseek, descriptor, 0, libc::SEEK_CUR), Ok);
    let answer =
        position.and_then(|position| watch.call(Call::Write { file, at: position.unsigned_abs(), bytes }, real));
    give(answer) as isize
}

/// # Safety
/// As of the C library's `write`.
#[unsafe(no_mangle)]
unsafe extern "C" fn write(descriptor: c_int, bytes: *const c_void, count: usize) -> isize {
    // SAFETY: the caller promised so many bytes.
    write_at(descriptor, unsafe { bytes_of(bytes, count) }, None)
}

/// # Safety
/// As of the C library's `pwrite`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite(descriptor: c_int, bytes: *const c_void, count: usize, at: i64) -> isize {
    // SAFETY: the caller promised so many bytes.
    write_at(descriptor, unsafe { bytes_of(bytes, count) }, Some(at))
}

/// # Safety
/// As of the C library's `pwrite64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite64(descriptor: c_int, bytes: *const c_void, count: usize, at: i64) -> isize {
    // SAFETY: the caller promised so many bytes.
    write_at(descriptor, unsafe { bytes_of(bytes, count) }, Some(at))
}

fn read_into(descriptor: c_int, real: impl FnOnce() -> Answer) -> isize {
    let answer = match watched(descriptor) {
        Some((watch, _)) => watch.call(Call::Read, real),
        None => real(),
    };
    give(answer) as isize
}

/// # Safety
/// As of the C library's `read`.
#[unsafe(no_mangle)]
unsafe extern "C" fn read(descriptor: c_int, into: *mut c_void, count: usize) -> isize {
    read_into(descriptor, || kernel!(SYS_read, descriptor, into, count))
}

/// # Safety
/// As of the C library's `pread`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pread(descriptor: c_int, into: *mut c_void, count: usize, at: i64) -> isize {
    read_into(descriptor, || kernel!(SYS_pread64, descriptor, into, count, at))
}

/// # Safety
/// As of the C library's `pread64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pread64(descriptor: c_int, into: *mut c_void, count: usize, at: i64) -> isize {
    read_into(descriptor, || kernel!(SYS_pread64, descriptor, into, count, at))
}

fn cut(descriptor: c_int, length: i64) -> c_int {
    let real = || kernel!(SYS_ftruncate, descriptor, length);
    let answer = match watched(descriptor) {
        Some((watch, file)) => watch.call(Call::Truncate { file, length: length.unsigned_abs() }, real),
        None => real(),
    };
    give(answer) as c_int
}

#[unsafe(no_mangle)]
extern "C" fn ftruncate(descriptor: c_int, length: i64) -> c_int {
    cut(descriptor, length)
}

#[unsafe(no_mangle)]
extern "C" fn ftruncate64(descriptor: c_int, length: i64) -> c_int {
    cut(descriptor, length)
}

fn sync(descriptor: c_int, real: impl FnOnce() -> Answer) -> c_int {
    let answer = match watched(descriptor) {
        Some((watch, file)) => watch.call(Call::Sync { file }, real),
        None => real(),
    };
    give(answer) as c_int
}

#[unsafe(no_mangle)]
extern "C" fn fsync(descriptor: c_int) -> c_int {
    sync(descriptor, || kernel!(SYS_fsync, descriptor))
}

#[unsafe(no_mangle)]
extern "C" fn fdatasync(descriptor: c_int) -> c_int {
    sync(descriptor, || kernel!(SYS_fdatasync, descriptor))
}

/// # Safety
/// As of the C library's `unlink`.
#[unsafe(no_mangle)]
unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    let real = || kernel!(SYS_unlinkat, libc::AT_FDCWD, path, 0);
    // SAFETY: the caller promised what `unlink` asks for.
    let name = unsafe { path_of(path) };
    let answer = match watch::of_path(name) {
        Some(watch) => watch.call(Call::Remove { path: name }, real),
        None => real(),
    };
    give(answer) as c_int
}

/// # Safety
/// As of the C library's `rename`.
#[unsafe(no_mangle)]
unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    let real = || kernel!(SYS_renameat, libc::AT_FDCWD, from, libc::AT_FDCWD, to);
    // SAFETY: the caller promised what `rename` asks for.
    let (old, new) = unsafe { (path_of(from), path_of(to)) };
    let answer = match watch::of_path(old) {
        Some(watch) => watch.call(Call::Rename { from: old, to: new }, real),
        None => real(),
    };
    give(answer) as c_int
}

/// # Safety
/// As of the C library's `mkdir`.
#[unsafe(no_mangle)]
unsafe extern "C" fn mkdir(path: *const c_char, mode: c_uint) -> c_int {
    let real = || kernel!(SYS_mkdirat, libc::AT_FDCWD, path, mode);
    // SAFETY: the caller promised what `mkdir` asks for.
    let name = unsafe { path_of(path) };
    let answer = match watch::of_path(name) {
        Some(watch) => watch.call(Call::MakeFolder { path: name }, real),
        None => real(),
    };
    give(answer) as c_int
}

/// Names every function above, so that the linker takes them before the C library's.
pub(crate) fn is_linked() -> bool {
    let ours: [*const (); 16] = [
        open as *const (),
        open64 as *const (),
        close as *const (),
        write as *const (),
        pwrite as *const (),
        pwrite64 as *const (),
        read as *const (),
        pread as *const (),
        pread64 as *const (),
        ftruncate as *const (),
        ftruncate64 as *const (),
        fsync as *const (),
        fdatasync as *const (),
        unlink as *const (),
        rename as *const (),
        mkdir as *const (),
    ];
    !ours.contains(&ptr::null())
}
