//! Text: prompts to tokens, and tokens back to text as they arrive.

mod added;
mod bounds;
mod chat;
mod document;
mod render;
mod stream;
mod tokenizer;

pub use added::Beside;
pub use chat::{ChatTemplate, Message, MessageRole, TEMPLATE_DATE};
pub use document::read_tokenizer;
pub use render::{RENDERS_TEMPLATES, RenderError, Rendering, render_templates};
pub use stream::TextStream;
pub use tokenizer::{PlacedTokens, TextError, TextModel};
