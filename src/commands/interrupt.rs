//! Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::fault;
use super::status::NO_ANSWER;

/// Set when the user presses Ctrl-C (or the system asks the program to end); a second time ends it at once.
pub(super) fn on_interrupt() -> Arc<AtomicBool> {
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = cancel.clone();
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            fault::is_none();
            std::process::exit(i32::from(NO_ANSWER));
        }
    };
    let ignored = ignored();
    // Fails only if a handler is there already; then that one decides.
    let _ = ctrlc::set_handler(handler);
    ignored.into_iter().for_each(ignore);
    cancel
}

/// Signals that whoever started this process had it ignore, as `nohup` does: they stay ignored.
#[cfg(unix)]
fn ignored() -> Vec<i32> {
    let is_ignored = |signal: &i32| {
        // SAFETY: an action of zeros is one to be filled in, and none is set.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: it only fills the action in.
        let told = unsafe { libc::sigaction(*signal, std::ptr::null(), &mut action) };
        told == 0 && action.sa_sigaction == libc::SIG_IGN
    };
    [libc::SIGHUP, libc::SIGINT, libc::SIGTERM].into_iter().filter(is_ignored).collect()
}

#[cfg(unix)]
fn ignore(signal: i32) {
    // SAFETY: to ignore a signal runs no code.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

#[cfg(not(unix))]
fn ignored() -> Vec<i32> {
    Vec::new()
}

#[cfg(not(unix))]
fn ignore(_: i32) {}
