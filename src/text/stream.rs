//! Streaming detokenization that never splits a character.

use tokenizers::Tokenizer;

/// Turns token ids into text as they arrive.
///
/// A Hangul syllable may take several byte-level tokens; until the last of them has come the text so far ends in U+FFFD,
/// and that end is held back. Unlike `tokenizers::DecodeStream` it has a [`flush`](Self::flush), so that an answer cut in
/// the middle of a character loses nothing silently.
pub struct TextStream<'a> {
    tokenizer: &'a Tokenizer,
    /// The tokens from the start of the last emitted piece on: enough context for decoders that look at neighbours.
    window: Vec<u32>,
    /// How many of `window` have been emitted.
    emitted: usize,
}

const REPLACEMENT: char = '\u{FFFD}';

/// A run of tokens that makes no whole character by then is not going to: longest UTF-8 sequences have four bytes.
const LONGEST_CHARACTER: usize = 8;

impl<'a> TextStream<'a> {
    pub fn new(tokenizer: &'a Tokenizer) -> Self {
        Self { tokenizer, window: Vec::new(), emitted: 0 }
    }

    /// Adds a token; gives the text that is certain by now, if any.
    pub fn push(&mut self, id: u32) -> Option<String> {
        self.window.push(id);
        let whole = self.decode(&self.window);
        if whole.ends_with(REPLACEMENT) && self.window.len() - self.emitted < LONGEST_CHARACTER {
            return None;
        }
        self.emit(&whole)
    }

    /// What is left at the end, an unfinished character as U+FFFD.
    pub fn flush(&mut self) -> Option<String> {
        let whole = self.decode(&self.window);
        self.emit(&whole)
    }

    fn emit(&mut self, whole: &str) -> Option<String> {
        let known = self.decode(&self.window[..self.emitted]);
        let piece = whole.strip_prefix(known.as_str()).unwrap_or(whole).to_owned();
        self.window.drain(..self.emitted);
        self.emitted = self.window.len();
        (!piece.is_empty()).then_some(piece)
    }

    fn decode(&self, ids: &[u32]) -> String {
        // An id that the tokenizer does not know (a padded vocabulary) has no text.
        self.tokenizer.decode(ids, true).unwrap_or_default()
    }
}
