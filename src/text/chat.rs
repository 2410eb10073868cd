//! Chat templates: a conversation to the text that the model was trained on, as Hugging Face renders it.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind, Output, State};
use serde::{Deserialize, Serialize};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageRole {
    System,
    User,
    Assistant,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub role: MessageRole,
    pub content: String,
}

impl Message {
    pub fn user(content: impl Into<String>) -> Self {
        Self { role: MessageRole::User, content: content.into() }
    }

    pub fn system(content: impl Into<String>) -> Self {
        Self { role: MessageRole::System, content: content.into() }
    }
}

/// A compiled Jinja chat template and the special tokens that it may name.
pub struct ChatTemplate {
    environment: Environment<'static>,
    special_tokens: BTreeMap<String, String>,
}

/// Name under which the template is kept; it shows in error messages.
const NAME: &str = "chat_template";

/// Steps of the template interpreter before a runaway template is stopped. A real one takes a few thousand.
const FUEL: u64 = 2_000_000;

impl ChatTemplate {
    /// Compiles a template the way transformers does: trimmed blocks, loop controls, Python's string methods, and its
    /// own `tojson`, `raise_exception` and `strftime_now`
    /// (<https://github.com/huggingface/transformers/blob/main/src/transformers/utils/chat_template_utils.py>).
    ///
    /// `special_tokens` are the variables such as `bos_token`.
    ///
    /// # Errors
    /// A template that is not valid Jinja.
    pub fn new(source: &str, special_tokens: BTreeMap<String, String>) -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        environment.set_formatter(python_formatter);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", tojson);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", |format: String| jiff::Zoned::now().strftime(&format).to_string());
        environment.add_template_owned(NAME, without_generation_tags(source))?;
        Ok(Self { environment, special_tokens })
    }

    /// The conversation as text, ending where the assistant's answer begins if `add_generation_prompt`. Messages are
    /// [`Message`]s, or anything of the shape that templates know (tool calls, content in parts).
    ///
    /// # Errors
    /// What the template itself refuses (`raise_exception`), or cannot compute.
    pub fn render<M: Serialize>(&self, messages: &[M], add_generation_prompt: bool) -> Result<String, Error> {
        let mut context: BTreeMap<&str, Value> =
            self.special_tokens.iter().map(|(name, token)| (name.as_str(), Value::from(token.as_str()))).collect();
        context.insert("messages", Value::from(minijinja::value::Serde(messages)));
        context.insert("add_generation_prompt", Value::from(add_generation_prompt));
        for absent in ["tools", "documents"] {
            context.insert(absent, Value::from(()));
        }
        self.environment.get_template(NAME)?.render(context)
    }
}

/// `{% generation %}` marks the assistant's words for training masks; transformers renders its body as it stands.
fn without_generation_tags(source: &str) -> String {
    let mut text = source.to_owned();
    for word in ["generation", "endgeneration"] {
        for open in ["{%-", "{%"] {
            for close in ["-%}", "%}"] {
                // A tag that prints nothing keeps the white-space control of the one that it replaces.
                text = text
                    .replace(&format!("{open} {word} {close}"), &format!("{open} if true {close}{open} endif {close}"));
            }
        }
    }
    text
}

/// Python's `json.dumps(value, ensure_ascii=False)`: `", "` and `": "` between items, nothing escaped for HTML.
fn tojson(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let ascii: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let failed = |error: serde_json::Error| Error::new(ErrorKind::BadSerialization, error.to_string());
    let mut text = Vec::new();
    match indent {
        Some(width) => {
            let spaces = " ".repeat(width.min(16));
            let pretty = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, pretty)).map_err(failed)?;
        }
        None => {
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, PythonSpacing)).map_err(failed)?
        }
    }
    let text = String::from_utf8_lossy(&text);
    Ok(Value::from_safe_string(if ascii == Some(true) { escape_non_ascii(&text) } else { text.into_owned() }))
}

/// As Python's `ensure_ascii`: `\uXXXX` for each UTF-16 unit. Only inside strings, the only place that JSON allows them.
fn escape_non_ascii(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            escaped.push(character);
        } else {
            let mut units = [0; 2];
            character.encode_utf16(&mut units).iter().for_each(|unit| escaped.push_str(&format!("\\u{unit:04x}")));
        }
    }
    escaped
}

struct PythonSpacing;

impl serde_json::ser::Formatter for PythonSpacing {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

/// Writes values as Python's `str()` does where the two differ.
fn python_formatter(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    use minijinja::value::ValueKind;
    let word = match value.kind() {
        ValueKind::None => "None",
        ValueKind::Bool if value.is_true() => "True",
        ValueKind::Bool => "False",
        _ => return minijinja::escape_formatter(out, state, value),
    };
    out.write_str(word).map_err(|_| Error::new(ErrorKind::WriteFailure, "could not write a value"))
}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}
