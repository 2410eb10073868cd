//! Text: prompts to tokens, and tokens back to text as they arrive.

mod bounds;
mod chat;
mod document;
mod stream;
mod tokenizer;

pub use chat::{ChatTemplate, Message, MessageRole};
pub use document::read_tokenizer;
pub use stream::TextStream;
pub use tokenizer::{TextError, TextModel};
