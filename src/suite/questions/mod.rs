//! Multiple-choice questions, of which a model is asked how likely it finds each choice.
//!
//! Of a file of JSON lines (`.jsonl`) or CSV (`.csv`) in the form of a [`Task`].

mod answer;
mod question;
mod row;
mod task;

use std::collections::BTreeSet;
use std::path::Path;

use super::SuiteError;
use super::lines::text_of;
use crate::toml_error::TomlError;

pub use answer::FirstChoice;
pub use question::Question;
pub use task::Task;

use answer::Answers;
use row::Row;
use task::Form;

/// The questions of a file, and the answered ones that stand before each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Questions {
    /// In the order of the file.
    pub questions: Vec<Question>,
    /// How many answered ones stand before each.
    pub examples: usize,
    /// What stands before each: the answered ones.
    pub block: String,
    /// Whether the choices are the same labels in every question, so that a rate of each label means something.
    pub are_labels: bool,
}

impl Questions {
    /// Reads the questions of a file, and the first `shots` (all, of `None`) of another file as examples.
    ///
    /// `first` says what number the first choice has, where answers are numbers; KMMLU's have 1 and KoBEST's 0 unless it does.
    ///
    /// # Errors
    /// A file that cannot be read, a mistake in one at its place, an example that is one of the questions, or fewer of them than
    /// `shots`.
    pub fn read(
        task: Task,
        first: Option<FirstChoice>,
        file: &Path,
        examples: Option<&Path>,
        shots: Option<usize>,
    ) -> Result<Self, SuiteError> {
        let (form, questions) = read(task, None, first, file)?;
        let mut read_examples = Vec::new();
        if let Some(path) = examples {
            let (_, all) = read(task, Some(form), first, path)?;
            let asked: BTreeSet<&str> = questions.iter().map(|question| question.context.as_str()).collect();
            let taken = all.len().min(shots.unwrap_or(all.len()));
            let text = text_of(path)?;
            let refuse = |line: usize, message: String| {
                let start = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
                TomlError::at(path, &text, start..start, message)
            };
            if let Some(shots) = shots.filter(|shots| *shots > all.len()) {
                return Err(refuse(1, format!("it has {} examples, and --shots asks for {shots}", all.len())).into());
            }
            if let Some(known) = all[..taken].iter().find(|example| asked.contains(example.context.as_str())) {
                return Err(refuse(known.line, "this example is one of the questions".to_owned()).into());
            }
            read_examples.extend(all.into_iter().take(taken));
        }
        let same = questions.windows(2).all(|pair| pair[0].choices == pair[1].choices);
        Ok(Self {
            are_labels: same || task == Task::Kobest,
            block: read_examples.iter().map(Question::answered).collect(),
            examples: read_examples.len(),
            questions,
        })
    }

    /// What stands before the choices of a question: the examples, and the question itself.
    pub fn context(&self, question: &Question) -> String {
        format!("{}{}", self.block, question.context)
    }
}

/// The questions of a file, all of one form: of this one, if one is given.
fn read(
    task: Task,
    form: Option<Form>,
    first: Option<FirstChoice>,
    path: &Path,
) -> Result<(Form, Vec<Question>), SuiteError> {
    let text = text_of(path)?;
    Ok(parse(task, form, first, path, &text)?)
}

fn parse(
    task: Task,
    form: Option<Form>,
    first: Option<FirstChoice>,
    path: &Path,
    text: &str,
) -> Result<(Form, Vec<Question>), TomlError> {
    let rows = Row::all(path, text)?;
    let Some(beginning) = rows.first() else {
        return Err(TomlError::at(path, text, 0..0, "no questions: expected an object or a row for each"));
    };
    let form = match form {
        Some(form) => form,
        None => Form::of(task, beginning).map_err(|mistake| mistake.at(path, text))?,
    };
    let mut answers = Answers::new(first.or(form.first_choice()), first.is_some());
    let question = |row: &Row| form.question(row, &mut answers).map_err(|mistake| mistake.at(path, text));
    Ok((form, rows.iter().map(question).collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests;
