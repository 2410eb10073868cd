//! Text: prompts to tokens, and tokens back to text as they arrive.

mod chat;
mod stream;
mod tokenizer;

pub use chat::{ChatTemplate, Message, MessageRole};
pub use stream::TextStream;
pub use tokenizer::{TextError, TextModel};
