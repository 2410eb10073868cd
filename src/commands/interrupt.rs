//! Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::status::NO_ANSWER;

/// Set when the user presses Ctrl-C (or the system asks the program to end); a second time ends it at once.
pub(super) fn on_interrupt() -> Arc<AtomicBool> {
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = cancel.clone();
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(NO_ANSWER));
        }
    };
    // Fails only if a handler is there already; then that one decides.
    let _ = ctrlc::set_handler(handler);
    cancel
}
