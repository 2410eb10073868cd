//! Faults: signals that end the program in the middle of its work. What it was at is noted first.

use std::fs::File;
#[cfg(target_os = "linux")]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicI32, Ordering};

/// Where a fault is noted; −1 for nowhere.
static NOTES: AtomicI32 = AtomicI32::new(-1);

/// Notes faults in a file until dropped.
pub(super) struct Noted<'f> {
    _file: &'f File,
}

impl<'f> Noted<'f> {
    #[cfg(unix)]
    pub(super) fn within(file: &'f File) -> Self {
        NOTES.store(std::os::fd::AsRawFd::as_raw_fd(file), Ordering::Relaxed);
        Self { _file: file }
    }

    #[cfg(not(unix))]
    pub(super) fn within(file: &'f File) -> Self {
        Self { _file: file }
    }
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        NOTES.store(-1, Ordering::Relaxed);
    }
}

/// The user ends the program at once, which is no fault: what is noted is emptied.
pub(super) fn is_none() {
    #[cfg(unix)]
    {
        let notes = NOTES.swap(-1, Ordering::Relaxed);
        if notes >= 0 {
            // SAFETY: it is one system call. Where it fails, one interruption more counts as a fault of the row.
            unsafe { libc::ftruncate(notes, 0) };
        }
    }
}

/// Has faults noted: that memory ran out, which aborts; and on Linux that a mapped file became shorter than it was, which is
/// said in one line, since there is no going on from it.
///
/// Other faults of memory are left to the standard library, which tells an overflow of a stack from them and aborts.
pub(super) fn handle() {
    #[cfg(unix)]
    for signal in [
        libc::SIGABRT,
        #[cfg(target_os = "linux")]
        libc::SIGBUS,
    ] {
        // SAFETY: an action of zeros is one to be filled in.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = on_fault as extern "C" fn(libc::c_int) as libc::sighandler_t;
        // Once: what raised it ends the program when the handler is through. Not so a file that is cut short, which several threads
        // meet at the same time. On the stack that is kept for an overflow.
        let once = if signal == libc::SIGABRT { libc::SA_RESETHAND } else { 0 };
        action.sa_flags = once | libc::SA_ONSTACK;
        // SAFETY: the handler does nothing but system calls that may be made in one.
        unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) };
    }
}

#[cfg(unix)]
extern "C" fn on_fault(signal: libc::c_int) {
    let write = |file: libc::c_int, text: &str| {
        // SAFETY: the text outlives the call; it is one of the calls that a handler may make.
        unsafe { libc::write(file, text.as_ptr().cast(), text.len()) };
    };
    let name = if signal == libc::SIGABRT { "SIGABRT (as when there is no more memory)\n" } else { "SIGBUS\n" };
    let notes = NOTES.load(Ordering::Relaxed);
    if notes >= 0 {
        write(notes, name);
    }
    #[cfg(target_os = "linux")]
    if signal == libc::SIGBUS {
        while SAID.swap(true, Ordering::Relaxed) {
            // Another thread says it, and ends the program.
            // SAFETY: it is one of the calls that a handler may make.
            unsafe { libc::pause() };
        }
        write(libc::STDERR_FILENO, CUT_SHORT);
        // SAFETY: it ends the program, and runs nothing else of it.
        unsafe { libc::_exit(i32::from(super::NO_ANSWER)) };
    }
    // Whoever sent it: it ends the program once this handler has returned.
    // SAFETY: it is one of the calls that a handler may make.
    unsafe { libc::raise(signal) };
}

/// Whether a thread has met a file that was cut short.
#[cfg(target_os = "linux")]
static SAID: AtomicBool = AtomicBool::new(false);

#[cfg(target_os = "linux")]
const CUT_SHORT: &str = "error: a file was cut short while the program read from it, or its disk failed (SIGBUS)\n";
