//! A checkpoint's text side: its tokenizer, its chat template, and the tokens that end an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::Value;
use tokenizers::Tokenizer;

use super::chat::Message;
use super::render::{RenderError, Renderer, Rendering};
use crate::catalog::PromptFormat;

/// What goes wrong between text and tokens.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    #[error("could not read the tokenizer: {0}")]
    Tokenizer(String),
    #[error("could not compile the chat template")]
    Template(#[source] minijinja::Error),
    #[error("could not render the chat template")]
    Render(#[source] RenderError),
    #[error("could not tokenize the prompt: {0}")]
    Encode(String),
    #[error("the checkpoint has no tokenizer, only token ids can be run")]
    NoTokenizer,
}

/// A text in tokens, and where each stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedTokens {
    pub ids: Vec<u32>,
    /// The bytes of the text that each token stands for; several that are parts of one character each have all of it, and
    /// what the tokenizer adds has none.
    pub places: Vec<Option<Range<usize>>>,
}

/// How a conversation becomes a text.
enum Chat {
    Template(Renderer),
    /// No template can be used, and why.
    Plain(String),
}

/// Tokenizer, chat template and end-of-sequence tokens of one checkpoint.
pub struct TextModel {
    pub tokenizer: Tokenizer,
    chat: Chat,
    /// How a model without a chat template is asked.
    format: Option<PromptFormat>,
    /// Its file does not say how texts are split.
    splits_by_default: bool,
    /// Beginning-of-sequence text, where the tokenizer adds that token by itself.
    bos_token: Option<String>,
    stop_ids: BTreeSet<u32>,
}

impl TextModel {
    /// `settings` is the contents of `tokenizer_config.json` (`{}` if there is none), `template` a chat template that lies
    /// apart from it, `stop_ids` the end-of-sequence ids that the configs state.
    ///
    /// # Errors
    /// A chat template that does not compile.
    pub fn new(
        tokenizer: Tokenizer,
        settings: &Value,
        template: Option<&str>,
        stop_ids: impl IntoIterator<Item = u32>,
    ) -> Result<Self, TextError> {
        let special_tokens = special_tokens(settings);
        let template = template.map_or_else(|| default_template(settings), Ok);
        let chat = match &template {
            Ok(source) => Chat::Template(Renderer::new(source, special_tokens.clone()).map_err(TextError::Template)?),
            Err(why) => Chat::Plain(why.clone()),
        };
        let mut stop_ids: BTreeSet<u32> = stop_ids.into_iter().collect();
        stop_ids.extend(special_tokens.get("eos_token").and_then(|token| tokenizer.token_to_id(token)));
        // Chat models end their turn with a token of their own, which older configs do not list as end of sequence.
        if let Ok(source) = template {
            let ends = END_OF_TURN.iter().filter(|token| source.contains(**token));
            stop_ids.extend(ends.filter_map(|token| tokenizer.token_to_id(token)));
        }
        let bos_token = special_tokens.get("bos_token").cloned();
        Ok(Self { tokenizer, chat, format: None, splits_by_default: false, bos_token, stop_ids })
    }

    /// Asks in `format` where the checkpoint has no chat template of its own.
    pub fn with_prompt_format(mut self, format: Option<PromptFormat>) -> Self {
        self.format = format;
        self
    }

    /// Renders the chat template as `rendering` says.
    ///
    /// # Errors
    /// As [`TextModel::new`].
    pub fn rendered(mut self, rendering: &Rendering) -> Result<Self, TextError> {
        if let Chat::Template(renderer) = self.chat {
            self.chat = Chat::Template(renderer.rendered(rendering).map_err(TextError::Template)?);
        }
        Ok(self)
    }

    /// Of a file that does not say how texts are split, so that they are as most vocabularies have it.
    pub fn split_by_default(self) -> Self {
        Self { splits_by_default: true, ..self }
    }

    /// Whether its file does not say how texts are split.
    pub fn splits_by_default(&self) -> bool {
        self.splits_by_default
    }

    pub fn has_chat_template(&self) -> bool {
        matches!(self.chat, Chat::Template(_))
    }

    /// Why conversations are put together without a template and without a stated format, one text after another; `None` where
    /// they are not.
    pub fn joins_plainly(&self) -> Option<&str> {
        match &self.chat {
            Chat::Plain(why) if self.format.is_none() => Some(why),
            _ => None,
        }
    }

    /// Renders a conversation of the usual form, a system message and a question, once: a template that refuses even that is
    /// used no more.
    ///
    /// # Errors
    /// A template that does not end or takes too much memory, or that the user would not wait for.
    pub fn try_template(&mut self, cancelled: &dyn Fn() -> bool) -> Result<(), TextError> {
        let Chat::Template(renderer) = &self.chat else { return Ok(()) };
        let usual = [Message::system("Be brief."), Message::user("Hello!")];
        match render_or_fold(renderer, &usual, cancelled) {
            Err(RenderError::Refused(why)) => self.chat = Chat::Plain(format!("its chat template refuses: {why}")),
            other => drop(other.map_err(TextError::Render)?),
        }
        Ok(())
    }

    /// Whether a token ends the answer.
    pub fn ends(&self, id: u32) -> bool {
        self.stop_ids.contains(&id)
    }

    /// Where in an answer a text begins that ends it, by a stated prompt format.
    pub fn stop_at(&self, answer: &str) -> Option<usize> {
        let stops = match (&self.chat, &self.format) {
            (Chat::Plain(_), Some(format)) => format.stop.as_slice(),
            _ => &[],
        };
        stops.iter().filter_map(|stop| answer.find(stop.as_str())).min()
    }

    /// Tokens of a conversation, up to where the answer begins. `cancelled` is asked while the template is rendered.
    ///
    /// # Errors
    /// What the template refuses or does not finish, or what the tokenizer cannot encode.
    pub fn encode_chat(&self, messages: &[Message], cancelled: &dyn Fn() -> bool) -> Result<Vec<u32>, TextError> {
        let renderer = match &self.chat {
            Chat::Template(renderer) => renderer,
            Chat::Plain(_) => return self.encode(&self.plain(messages)),
        };
        let rendered = render_or_fold(renderer, messages, cancelled).map_err(TextError::Render)?;
        // The template writes the beginning-of-sequence token where it wants one; the tokenizer must not add another.
        self.tokens(&rendered, false)
    }

    /// Tokens of a text as it stands, with the special tokens that the tokenizer adds by itself (once).
    ///
    /// # Errors
    /// What the tokenizer cannot encode.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TextError> {
        self.tokens(text, self.adds_special_tokens(text))
    }

    /// As [`Self::encode`], with the place of each token.
    ///
    /// # Errors
    /// What the tokenizer cannot encode.
    pub fn encode_in_place(&self, text: &str) -> Result<PlacedTokens, TextError> {
        let encoding = self.tokenizer.encode(text, self.adds_special_tokens(text));
        let encoding = encoding.map_err(|error| TextError::Encode(error.to_string()))?;
        let added = encoding.get_special_tokens_mask();
        let place = |((start, end), added): (&(usize, usize), &u32)| (*added == 0).then_some(*start..*end);
        let places = encoding.get_offsets().iter().zip(added).map(place).collect();
        Ok(PlacedTokens { ids: encoding.get_ids().to_vec(), places })
    }

    /// Whether the tokenizer puts a token of its own before this text.
    ///
    /// # Errors
    /// What the tokenizer cannot encode.
    pub fn adds_before(&self, text: &str) -> Result<bool, TextError> {
        let PlacedTokens { places, .. } = self.encode_in_place(text)?;
        Ok(places.first() == Some(&None))
    }

    /// A context and what continues it, in tokens: cut as lm-evaluation-harness does it (`_encode_pair`). Both are encoded
    /// together, with white space at the end of the context given to the continuation, and what is left after as many tokens as
    /// the context has alone is the continuation's. If that is nothing, because the two melt into fewer tokens, the
    /// continuation begins with the first token that differs.
    ///
    /// # Errors
    /// What the tokenizer cannot encode, or a continuation that adds no token.
    pub fn encode_pair(&self, context: &str, continuation: &str) -> Result<(Vec<u32>, Vec<u32>), TextError> {
        let whole = self.encode(&format!("{context}{continuation}"))?;
        let mut alone = self.encode(context.trim_end())?;
        if alone.len() >= whole.len() {
            let same = alone.iter().zip(&whole).take_while(|(a, b)| a == b).count();
            alone.truncate(same);
        }
        match whole.get(alone.len()..) {
            Some(rest) if !rest.is_empty() => Ok((alone, rest.to_vec())),
            _ => Err(TextError::Encode(format!("`{continuation}` adds no token to what it continues"))),
        }
    }

    fn adds_special_tokens(&self, text: &str) -> bool {
        !self.bos_token.as_deref().is_some_and(|bos| !bos.is_empty() && text.starts_with(bos))
    }

    fn tokens(&self, text: &str, add_special_tokens: bool) -> Result<Vec<u32>, TextError> {
        let encoding = self.tokenizer.encode_fast(text, add_special_tokens);
        Ok(encoding.map_err(|error| TextError::Encode(error.to_string()))?.get_ids().to_vec())
    }

    /// A conversation for a model without a chat template: its stated format, else the texts one after another.
    fn plain(&self, messages: &[Message]) -> String {
        let of = |system: bool| {
            let texts = messages.iter().filter(|message| (message.role == super::MessageRole::System) == system);
            texts.map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n\n")
        };
        match &self.format {
            Some(format) if format.template.contains("{system}") => {
                format.template.replace("{system}", &of(true)).replace("{prompt}", &of(false))
            }
            Some(format) => format.template.replace("{prompt}", &of(false)),
            None => messages.iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n\n"),
        }
    }
}

/// Tokens by which chat models of the shipped families end a turn.
const END_OF_TURN: [&str; 6] =
    ["<|im_end|>", "<|eot_id|>", "<end_of_turn>", "[|endofturn|]", "<|end|>", "<｜end▁of▁sentence｜>"];

/// The conversation as text. Gemma's and early Mistral's templates refuse a system message: their authors fold it into the first
/// turn.
fn render_or_fold(
    renderer: &Renderer,
    messages: &[Message],
    cancelled: &dyn Fn() -> bool,
) -> Result<String, RenderError> {
    match (renderer.render(messages, cancelled), fold_system(messages)) {
        (Err(RenderError::Refused(refused)), Some(folded)) => match renderer.render(&folded, cancelled) {
            Err(RenderError::Refused(_)) => Err(RenderError::Refused(refused)),
            other => other,
        },
        (rendered, _) => rendered,
    }
}

/// The conversation with its system message put in front of the first user turn; `None` if there is none to move.
fn fold_system(messages: &[Message]) -> Option<Vec<Message>> {
    let (first, rest) = messages.split_first()?;
    let (user, rest) = rest.split_first()?;
    if first.role != super::MessageRole::System || user.role != super::MessageRole::User {
        return None;
    }
    let mut folded = vec![Message::user(format!("{}\n\n{}", first.content, user.content))];
    folded.extend_from_slice(rest);
    Some(folded)
}

/// `bos_token` and its like out of `tokenizer_config.json`, where each is a text or an object with `content`.
fn special_tokens(settings: &Value) -> BTreeMap<String, String> {
    let Some(fields) = settings.as_object() else { return BTreeMap::new() };
    fields
        .iter()
        .filter(|(name, _)| name.ends_with("_token"))
        .filter_map(|(name, value)| {
            let token = value.as_str().or_else(|| value.get("content")?.as_str())?;
            Some((name.clone(), token.to_owned()))
        })
        .collect()
}

/// The chat template in `tokenizer_config.json`: one text, or a list of named ones of which `default` is meant. As transformers,
/// which raises where none has that name, it takes no other in its place.
fn default_template(settings: &Value) -> Result<&str, String> {
    let named = match settings.get("chat_template") {
        Some(Value::String(template)) => return Ok(template),
        Some(Value::Array(named)) => named,
        _ => return Err("it has no chat template".into()),
    };
    let name = |entry: &Value| Some(entry.get("name")?.as_str()?.to_owned());
    let default = named.iter().find(|entry| name(entry).as_deref() == Some("default"));
    default.and_then(|entry| entry.get("template")?.as_str()).ok_or_else(|| {
        let names: Vec<String> = named.iter().filter_map(name).map(|name| format!("`{name}`")).collect();
        format!("none of its chat templates is named `default`, but {}", names.join(", "))
    })
}
