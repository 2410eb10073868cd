//! What can go wrong between the Hub and the cache, and the way out of each.

use std::io;
use std::path::{Path, PathBuf};

/// A failure of the Hub, of the way to it, or of the cache.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    #[error("`{value}` is not the address of a Hub: {rule}")]
    BadEndpoint { value: String, rule: &'static str },
    #[error("found no folder for the Hugging Face cache")]
    NoCacheFolder,
    #[error("the token in {origin} cannot be sent: it holds white space or a character outside ASCII")]
    BadToken { origin: String },
    #[error("`{id}` cannot be a repository: {rule}")]
    BadRepository { id: String, rule: &'static str },
    #[error("`{revision}` cannot be a revision: {rule}")]
    BadRevision { revision: String, rule: &'static str },
    #[error("refused the file name `{path}` that the Hub stated: {rule}")]
    UnsafePath { path: String, rule: &'static str },

    #[error("`{repository}` is gated: its licence must be accepted before its files can be downloaded")]
    Gated { repository: String, page: String, token_sent: bool },
    #[error("the Hub refused access to `{repository}` (HTTP status {status})")]
    Refused { repository: String, page: String, status: u16, token_sent: bool },
    #[error("the Hub has no repository `{repository}`")]
    RepositoryNotFound { repository: String, page: String },
    #[error("`{repository}` has no revision `{revision}`")]
    RevisionNotFound { repository: String, revision: String, page: String },
    #[error("`{repository}` at `{revision}` has no file `{file}`")]
    FileNotFound { repository: String, revision: String, file: String, similar: Vec<String> },
    #[error("`{word}` means several files of `{repository}`: {}", list(.files))]
    ManyFiles { repository: String, word: String, files: Vec<String> },
    #[error("`{repository}` at `{revision}` has no weights that can be used")]
    NoWeights { repository: String, revision: String, gguf: Vec<String> },
    #[error("`{repository}` at `{revision}` is not in the cache: {} is missing", list(.missing))]
    NotCached { repository: String, revision: String, missing: Vec<String> },

    #[error("could not reach `{host}`")]
    Unreachable { host: String, source: Box<ureq::Error> },
    #[error("the certificate of `{host}` is not trusted: {reason}")]
    Untrusted { host: String, reason: String },
    #[error("found no certificates by `{variable}`: {reason}")]
    NoCertificates { variable: &'static str, reason: String },
    #[error("`{host}` sent fewer than {bytes} bytes in {seconds} s")]
    TooSlow { host: String, bytes: u64, seconds: u64 },
    #[error("the connection to `{host}` was cut")]
    Cut { host: String, source: io::Error },
    #[error("`{host}` answered with HTTP status {status}")]
    Status { host: String, status: u16 },
    #[error("could not make sense of the answer of `{host}`: {reason}")]
    BadResponse { host: String, reason: String },
    #[error("could not make sense of `{file}`: {reason}")]
    BadIndex { file: String, reason: String },
    #[error("gave up after {attempts} attempts to {doing}")]
    GaveUp { doing: String, attempts: u32, source: Box<HubError> },

    #[error("not enough disk space in `{}`: {} are needed, {} are free", .folder.display(), gib(*.needed), free_text(*.free))]
    DiskFull { needed: u64, free: Option<u64>, folder: PathBuf },
    #[error("`{file}` has {got} bytes where the Hub stated {expected}")]
    WrongSize { file: String, expected: u64, got: u64 },
    #[error("`{file}` has the hash `{got}` where the Hub stated `{expected}`")]
    WrongHash { file: String, expected: String, got: String },
    #[error("could not {doing} `{}`", .path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("the download was stopped")]
    Cancelled,
}

impl HubError {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        HubError::Io { doing, path: path.to_owned(), source }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            HubError::BadEndpoint { .. } => {
                "set `HF_ENDPOINT` to an address such as `https://huggingface.co`".to_owned()
            }
            HubError::NoCacheFolder => "set `HF_HOME` to a folder with room for the models".to_owned(),
            HubError::BadToken { origin } => format!("put the token, and nothing else, into {origin}"),
            HubError::BadRepository { .. } => "a repository is named as `Qwen/Qwen2.5-7B-Instruct`".to_owned(),
            HubError::BadRevision { .. } => "a revision is a branch, a tag or a commit, as `main`".to_owned(),
            HubError::Gated { page, token_sent: false, .. } => {
                format!("visit {page} and accept the licence, then set `HF_TOKEN` to a token of the same account")
            }
            HubError::Gated { page, token_sent: true, .. } => format!(
                "visit {page} and accept the licence with the account whose token is in `HF_TOKEN`; the token needs the \
                 right to read gated repositories"
            ),
            HubError::Refused { page, token_sent: false, .. } => format!(
                "the repository is private or gated, or there is none of that name: visit {page}, accept the licence if \
                 it asks for that, and set `HF_TOKEN`"
            ),
            HubError::Refused { page, token_sent: true, .. } => format!(
                "the token in `HF_TOKEN` is not valid or does not open this repository: visit {page} and accept the \
                 licence if it asks for that, or set `HF_TOKEN` to another token"
            ),
            HubError::RepositoryNotFound { page, .. } => {
                format!("check the name at {page}; a private repository needs `HF_TOKEN`")
            }
            HubError::RevisionNotFound { page, .. } => format!("check its branches and tags at {page}/tree/main"),
            HubError::FileNotFound { similar, .. } if !similar.is_empty() => format!("it has {}", list(similar)),
            HubError::FileNotFound { .. } => return None,
            HubError::ManyFiles { .. } => "name one of them, or a pattern that only one matches".to_owned(),
            HubError::NoWeights { gguf, .. } if !gguf.is_empty() => {
                format!("name one of its GGUF files: {}", list(gguf))
            }
            HubError::NoWeights { .. } => {
                "it needs `model.safetensors`, `model.safetensors.index.json` or `pytorch_model.bin`".to_owned()
            }
            HubError::NotCached { .. } => "unset `HF_HUB_OFFLINE` to download it".to_owned(),
            HubError::Unreachable { .. } => "check the network, `HF_ENDPOINT` and `HTTPS_PROXY`, or set \
                 `HF_HUB_OFFLINE=1` to use what is cached"
                .to_owned(),
            HubError::Untrusted { .. } => {
                "have `SSL_CERT_FILE` name a file with the certificate of your company's authority, or add \
                 that to the system's store"
                    .to_owned()
            }
            HubError::NoCertificates { .. } => {
                "have it name certificates in PEM, or unset it to use the system's store".to_owned()
            }
            HubError::Cut { .. } | HubError::TooSlow { .. } | HubError::Cancelled => {
                "run the same command again: the download goes on from where it stopped".to_owned()
            }
            HubError::Status { status: 429, .. } => {
                "the Hub limits how often one may ask: wait a few minutes, or set `HF_TOKEN` for a higher limit"
                    .to_owned()
            }
            HubError::Status { .. } => {
                "the trouble is on the server's side: run the same command again later".to_owned()
            }
            HubError::BadResponse { .. } => "check `HF_ENDPOINT`, and whether a proxy answers in its place".to_owned(),
            HubError::BadIndex { .. } | HubError::UnsafePath { .. } => {
                "the repository is broken or hostile: use another one or another revision".to_owned()
            }
            HubError::GaveUp { source, .. } => return source.hint(),
            HubError::DiskFull { .. } => "free some space, or set `HF_HOME` to a folder on a larger disk".to_owned(),
            HubError::WrongSize { .. } | HubError::WrongHash { .. } => {
                "none of it is used: run the same command again to download it anew".to_owned()
            }
            HubError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "check who owns the cache, or set `HF_HOME` to a folder that you may write to".to_owned()
            }
            HubError::Io { .. } => return None,
        };
        Some(hint)
    }
}

/// Text of the outside world, made fit for a line of a terminal.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut line: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
}

fn list(names: &[String]) -> String {
    const MOST: usize = 8;
    let mut line = names.iter().take(MOST).map(|name| format!("`{}`", shown(name))).collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        line.push_str(&format!(" and {} more", names.len() - MOST));
    }
    line
}

fn gib(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{bytes} bytes"),
        0x10_0000..0x4000_0000 => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}

fn free_text(free: Option<u64>) -> String {
    free.map_or_else(|| "none".to_owned(), gib)
}
