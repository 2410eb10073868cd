//! Chat templates: a conversation to the text that the model was trained on, as Hugging Face renders it.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind, Output, State};
use serde::{Deserialize, Serialize};

use super::bounds;

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

/// The day that it is for templates unless another is asked for: any, as long as it stays the same, so that a prompt of
/// today is the prompt of yesterday.
pub const TEMPLATE_DATE: Date = Date::constant(2026, 1, 1);

/// A compiled Jinja chat template and the special tokens that it may name.
pub struct ChatTemplate {
    environment: Environment<'static>,
    pub(super) special_tokens: BTreeMap<String, String>,
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
    /// `special_tokens` are the variables such as `bos_token`; `today` is the day that `strftime_now` tells, at midnight.
    ///
    /// # Errors
    /// A template that is not valid Jinja.
    pub fn new(source: &str, special_tokens: BTreeMap<String, String>, today: Date) -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        environment.set_formatter(python_formatter);
        environment.set_fuel(Some(FUEL));
        bounds::bound(&mut environment);
        environment.add_filter("tojson", tojson);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", move |format: String| {
            today.to_datetime(Time::midnight()).strftime(&format).to_string()
        });
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
        let mut rendered = bounds::Rendered::default();
        self.environment.get_template(NAME)?.render_captured_to(context, &mut rendered)?;
        Ok(rendered.into_text())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str) -> Result<String, String> {
        let template =
            ChatTemplate::new(source, BTreeMap::new(), TEMPLATE_DATE).map_err(|error| crate::causes::chain(&error))?;
        template.render(&[Message::user("hello")], true).map_err(|error| crate::causes::chain(&error))
    }

    #[test]
    fn a_template_that_never_ends_or_never_stops_growing_is_stopped() {
        let growing =
            "{% for a in range(100000) %}{% for b in range(100000) %}{{ 'a' * 10000 }}{% endfor %}{% endfor %}";
        for (source, message) in [
            ("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "fuel"),
            ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recursion limit"),
            ("{% for a in range(1000000000) %}{% endfor %}", "range has too many elements"),
            ("{{ 'a' * 1000000000 }}", "fuel"),
            (growing, "more than 16 MiB"),
            ("{{ 'a'|indent(1000000000000000) }}", "a width or count of 1000000000000000"),
            ("{{ 'a'|indent(width=1000000000000000) }}", "a width or count of 1000000000000000"),
            ("{{ 'a'|indent(99999999999999999999999999) }}", "a width or count of"),
            ("{{ [1]|slice(1000000000000)|list }}", "a width or count of 1000000000000"),
            ("{{ [1]|batch(1000000000000, 0)|list }}", "a width or count of 1000000000000"),
            ("{{ '%999999999999d'|format(1) }}", "a width that is not stated in three digits"),
            ("{{ '%*d'|format(999999999999, 1) }}", "a width that is not stated in three digits"),
            ("{{ '{:>999999999999}'.format(1) }}", "a width that is not stated in three digits"),
            ("{% include 'other' %}", "non-existing template"),
            ("{% extends 'chat_template' %}", "cycle in template inheritance"),
            ("{% import 'other' as other %}", "non-existing template"),
            ("{{ messages[0].content.missing() }}", "unknown method"),
            ("{{ raise_exception() }}", "missing argument"),
        ] {
            let error = render(source).unwrap_err();
            assert!(error.contains(message), "{source}: {error}");
        }
        let nested = format!("{}{}", "{% if true %}".repeat(100_000), "{% endif %}".repeat(100_000));
        assert!(render(&nested).is_err());
        assert!(render(&format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000))).is_err());
    }

    #[test]
    fn filters_and_methods_within_their_bounds_are_minijinjas_own() {
        assert_eq!(render("{{ 'a\nb'|indent(2) }}|{{ 'a\nb'|indent(width=1, first=true) }}").unwrap(), "a\n  b| a\n b");
        assert_eq!(render("{{ [1, 2, 3]|batch(2)|list|tojson }}").unwrap(), "[[1, 2], [3]]");
        assert_eq!(render("{{ '%03d'|format(2024) }} {{ '{:>3}'.format(7) }}").unwrap(), "2024   7");
        assert_eq!(render("{{ strftime_now('%Q %') is string }}").unwrap(), "True");
    }
}
