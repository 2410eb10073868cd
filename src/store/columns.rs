//! Columns: the records' parts as the database holds them.

use std::error::Error;

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::FromSql;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use crate::record::TrialKey;
use crate::suite::Language;

/// Fixed width, so that text order is time order.
pub(super) fn instant(at: Timestamp) -> String {
    format!("{at:.9}")
}

pub(super) fn json<T: Serialize>(what: &str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| encode(what, source))
}

pub(super) fn json_or_null<T: Serialize>(what: &str, value: &Option<T>) -> Result<Option<String>, StoreError> {
    value.as_ref().map(|value| json(what, value)).transpose()
}

/// What is a single word in JSON, without its quotation marks.
pub(super) fn word<T: Serialize>(what: &str, value: Option<T>) -> Result<Option<String>, StoreError> {
    let json = value.map(|value| serde_json::to_value(value).map_err(|source| encode(what, source))).transpose()?;
    Ok(json.and_then(|json| json.as_str().map(str::to_owned)))
}

/// SQLite's integers are signed; nanoseconds reach that limit after 292 years.
pub(super) fn nanoseconds(what: &str, value: Option<u64>) -> Result<Option<i64>, StoreError> {
    value.map(i64::try_from).transpose().map_err(|source| encode(what, source))
}

fn encode(what: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Encode { what: what.to_owned(), source: source.into() }
}

/// One record as it comes out of a query; `what` names it in errors.
pub(super) struct Columns<'a> {
    pub row: &'a Row<'a>,
    pub what: &'a str,
}

impl Columns<'_> {
    pub(super) fn get<T: FromSql>(&self, column: &'static str) -> Result<T, StoreError> {
        self.row.get(column).map_err(|source| StoreError::Read { what: format!("`{column}` of {}", self.what), source })
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        let text: String = self.get(column)?;
        serde_json::from_str(&text).map_err(|source| self.decode(column, source))
    }

    pub(super) fn json_or_null<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let text: Option<String> = self.get(column)?;
        text.map(|text| serde_json::from_str(&text)).transpose().map_err(|source| self.decode(column, source))
    }

    pub(super) fn word_or_null<T: DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let text: Option<String> = self.get(column)?;
        text.map(|text| serde_json::from_value(text.into())).transpose().map_err(|source| self.decode(column, source))
    }

    pub(super) fn instant(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        let text: String = self.get(column)?;
        text.parse().map_err(|source: jiff::Error| self.decode(column, source))
    }

    pub(super) fn instant_or_null(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        let text: Option<String> = self.get(column)?;
        text.map(|text| text.parse()).transpose().map_err(|source: jiff::Error| self.decode(column, source))
    }

    pub(super) fn nanoseconds(&self, column: &'static str) -> Result<Option<u64>, StoreError> {
        let signed: Option<i64> = self.get(column)?;
        signed.map(u64::try_from).transpose().map_err(|source| self.decode(column, source))
    }

    /// An unsigned number that is kept as decimal text.
    pub(super) fn decimal(&self, column: &'static str) -> Result<u64, StoreError> {
        let text: String = self.get(column)?;
        text.parse().map_err(|source: std::num::ParseIntError| self.decode(column, source))
    }

    pub(super) fn count(&self, column: &'static str) -> Result<usize, StoreError> {
        let signed: i64 = self.get(column)?;
        usize::try_from(signed).map_err(|source| self.decode(column, source))
    }

    pub(super) fn language(&self, column: &'static str) -> Result<Option<Language>, StoreError> {
        let tag: Option<String> = self.get(column)?;
        tag.map(|tag| {
            Language::ALL
                .into_iter()
                .find(|language| language.tag() == tag)
                .ok_or_else(|| self.decode(column, format!("no language has the tag `{tag}`")))
        })
        .transpose()
    }

    /// Of a trial, or of a record that stands beside one.
    pub(super) fn trial_key(&self) -> Result<TrialKey, StoreError> {
        Ok(TrialKey {
            row: self.get("row")?,
            suite: self.get("suite")?,
            language: self.language("language")?,
            prompt: self.get("prompt")?,
            repetition: self.get("repetition")?,
            warmup: self.get("warmup")?,
        })
    }

    fn decode(&self, column: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
        StoreError::Decode { what: format!("`{column}` of {}", self.what), source: source.into() }
    }
}
