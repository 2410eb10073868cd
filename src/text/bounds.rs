//! Filters and methods of chat templates whose result is as long as a number in the template says, bounded.
//!
//! The interpreter's fuel counts its steps; in one step minijinja's `indent`, `slice`, `batch` and `format` allocate as
//! much as a number says. What a template may still do is to double a text over and over.

use std::io::{self, Write};

use minijinja::value::{Kwargs, Rest, Value, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State};
use minijinja_contrib::pycompat;

/// Largest width or count that a template may ask for.
const LARGEST_COUNT: i64 = 1000;

/// Longest rendered conversation in bytes; at four bytes a token it is longer than any context.
const LONGEST: usize = 16 << 20;

/// Puts bounded filters and methods in the place of minijinja's own.
pub(super) fn bound(environment: &mut Environment) {
    environment.add_filter("indent", counted(Value::from_function(minijinja::filters::indent)));
    environment.add_filter("slice", counted(Value::from_function(minijinja::filters::slice)));
    environment.add_filter("batch", counted(Value::from_function(minijinja::filters::batch)));
    let format = Value::from_function(minijinja::filters::format);
    environment.add_filter("format", move |state: &mut State, arguments: Rest<ValueOrKwargs>| {
        let arguments = arguments.into_values();
        arguments.first().map_or(Ok(()), check_format)?;
        format.call(state, &arguments)
    });
    environment.set_unknown_method_callback(|state, value, method, arguments| {
        if method == "format" {
            check_format(value)?;
        }
        pycompat::unknown_method_callback(state, value, method, arguments)
    });
}

/// A filter that takes no number over [`LARGEST_COUNT`] beside what it filters.
fn counted(filter: Value) -> impl Fn(&mut State, Rest<ValueOrKwargs>) -> Result<Value, Error> + Send + Sync + 'static {
    move |state, arguments| {
        let arguments = arguments.into_values();
        for argument in arguments.iter().skip(1) {
            check_count(argument)?;
            if let Ok(named) = Kwargs::try_from(argument.clone()) {
                named
                    .args()
                    .filter_map(|name| named.peek::<Value>(name).ok())
                    .try_for_each(|count| check_count(&count))?;
            }
        }
        filter.call(state, &arguments)
    }
}

fn check_count(value: &Value) -> Result<(), Error> {
    match i64::try_from(value.clone()) {
        Ok(count) if count > LARGEST_COUNT => {
            Err(refused(format!("the template asks for a width or count of {count}")))
        }
        Err(_) if value.is_number() => Err(refused(format!("the template asks for a width or count of {value}"))),
        _ => Ok(()),
    }
}

/// Refuses widths of more than three digits, and those that come as arguments.
fn check_format(format: &Value) -> Result<(), Error> {
    let format = format.as_str().unwrap_or_default();
    let long = format.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 3);
    if long || format.contains('*') {
        return Err(refused("the template formats to a width that is not stated in three digits".into()));
    }
    Ok(())
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message).with_source(TooMuch)
}

/// The cause of every refusal of this file.
#[derive(Debug, thiserror::Error)]
#[error("no template needs as much")]
struct TooMuch;

/// Whether a template was stopped because it would not end, or would take too much; else it refused by itself.
pub(super) fn is_bound(error: &Error) -> bool {
    let mut causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    matches!(error.kind(), ErrorKind::OutOfFuel | ErrorKind::WriteFailure) || causes.any(|cause| cause.is::<TooMuch>())
}

/// Takes what is rendered, up to [`LONGEST`] bytes.
#[derive(Default)]
pub(super) struct Rendered(Vec<u8>);

impl Rendered {
    pub(super) fn into_text(self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl Write for Rendered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST {
            return Err(io::Error::other(format!("the conversation takes more than {} MiB", LONGEST >> 20)));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
