//! What is planned for: a candidate without its precision.

use crate::catalog::Source;
use crate::plan::Layout;

/// A candidate, whatever its layouts are.
pub(super) struct Subject {
    pub id: String,
    pub source: Source,
    /// Those that models.toml has it run in; `None` is as stored.
    pub own: Vec<Option<Layout>>,
}

impl Subject {
    /// The layouts to plan it in: those named, or its own and the usual ones. What is quantized already has only its own.
    pub(super) fn layouts(&self, named: &[Layout]) -> Vec<Option<Layout>> {
        if self.source.is_gguf() {
            return vec![None];
        }
        let mut layouts = if named.is_empty() { self.own.clone() } else { Vec::new() };
        let others = if named.is_empty() { &Layout::USUAL[..] } else { named };
        for layout in others.iter().copied().map(Some) {
            if !layouts.contains(&layout) {
                layouts.push(layout);
            }
        }
        // The largest first; as stored before them all.
        layouts.sort_by_key(|layout| layout.and_then(|layout| Layout::ALL.iter().position(|other| *other == layout)));
        layouts
    }
}
