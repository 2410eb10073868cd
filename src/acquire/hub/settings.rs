//! The settings of the Hub: where it is, where its files are kept, and who asks. The environment is read here only.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::tls::{Certificate, RootCerts};

use super::error::HubError;
use crate::plain_file;

/// Where the Hub is, where its files are kept, who asks, and how patiently.
#[derive(Clone)]
pub struct HubSettings {
    /// Address of the Hub, without a slash at the end.
    pub endpoint: String,
    /// The folder that holds `models--…` folders.
    pub cache: PathBuf,
    pub token: Option<Token>,
    /// Use what is cached and open no connection.
    pub offline: bool,
    pub proxy: Option<ureq::Proxy>,
    /// Whose certificates are trusted; `None` trusts those that Mozilla does.
    pub roots: Option<RootCerts>,
    pub patience: Patience,
}

/// How long to wait for the Hub, and how often to ask again.
#[derive(Debug, Clone)]
pub struct Patience {
    /// For a connection to stand.
    pub connect: Duration,
    /// For the next byte to arrive, and for the headers of an answer to be whole.
    pub idle: Duration,
    /// Bytes that must have arrived of a file in each [`floor`](Self::floor), or the connection is given up.
    pub floor_bytes: u64,
    /// Over how long a download may not be slower than `floor_bytes`.
    pub floor: Duration,
    /// Failed attempts in a row, without a mebibyte gained between them, before giving up.
    pub attempts: u32,
    /// Before the second attempt; doubled before each one after it.
    pub first_wait: Duration,
    /// No single wait is longer, whatever the server asks for.
    pub longest_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            connect: Duration::from_secs(15),
            idle: Duration::from_secs(30),
            // 1 kB/s: a connection that drips keeps every timeout of one byte.
            floor_bytes: 60_000,
            floor: Duration::from_secs(60),
            attempts: 6,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
        }
    }
}

impl HubSettings {
    pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

    /// Settings for a Hub at an address, with a cache in a folder: online, nobody's token, no proxy.
    pub fn new(endpoint: impl Into<String>, cache: impl Into<PathBuf>) -> Self {
        HubSettings {
            endpoint: endpoint.into(),
            cache: cache.into(),
            token: None,
            offline: false,
            proxy: None,
            roots: None,
            patience: Patience::default(),
        }
    }

    /// The settings that the environment states, by the variables and defaults of `huggingface_hub`:
    /// <https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables>.
    pub fn from_env() -> Result<Self, HubError> {
        let settings = HubSettings::from_variables(|name| std::env::var_os(name), std::env::home_dir().as_deref())?;
        let roots = if settings.offline { None } else { trusted()? };
        Ok(HubSettings { proxy: ureq::Proxy::try_from_env(), roots, ..settings })
    }

    /// As [`from_env`](Self::from_env), with the variables looked up by a function. An empty variable counts as unset.
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>, home: Option<&Path>) -> Result<Self, HubError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let folder = |name: &str| set(name).map(|value| expand_home(PathBuf::from(value), home));
        let text = |name: &str| set(name).map(|value| value.to_string_lossy().trim().to_owned());

        let hf_home = folder("HF_HOME").or_else(|| {
            let caches = folder("XDG_CACHE_HOME").or_else(|| home.map(|home| home.join(".cache")));
            caches.map(|caches| caches.join("huggingface"))
        });
        let cache = folder("HF_HUB_CACHE")
            .or_else(|| folder("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| hf_home.as_ref().map(|home| home.join("hub")))
            .ok_or(HubError::NoCacheFolder)?;
        let token_file = folder("HF_TOKEN_PATH").or_else(|| hf_home.map(|home| home.join("token")));
        // The second of each pair is the older name, which `huggingface_hub` takes too.
        let stated = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"].iter().find_map(|name| Some((text(name)?, *name)));
        let token = match (stated, token_file) {
            (Some((token, name)), _) => Token::new(token, &format!("`{name}`"))?,
            (None, Some(file)) => Token::read(&file)?,
            (None, None) => None,
        };
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| Self::DEFAULT_ENDPOINT.to_owned());
        let offline = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]
            .iter()
            .any(|name| text(name).is_some_and(|value| is_true(&value)));
        Ok(HubSettings { token, offline, ..HubSettings::new(endpoint, cache) })
    }
}

impl fmt::Debug for HubSettings {
    /// Leaves out the proxy, whose address may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubSettings")
            .field("endpoint", &self.endpoint)
            .field("cache", &self.cache)
            .field("token", &self.token)
            .field("offline", &self.offline)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// A secret that opens the user's repositories: shown nowhere, sent to the endpoint only.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Most bytes of a file that holds a token and nothing else.
const LARGEST_TOKEN: u64 = 1 << 20;

impl Token {
    /// `None` for an empty one. `origin` is what to call the place it came from.
    pub fn new(token: impl Into<String>, origin: &str) -> Result<Option<Self>, HubError> {
        let token = token.into();
        match token.trim() {
            "" => Ok(None),
            token if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Some(Token(token.to_owned()))),
            _ => Err(HubError::BadToken { origin: origin.to_owned() }),
        }
    }

    fn read(file: &Path) -> Result<Option<Self>, HubError> {
        match plain_file::read(file, LARGEST_TOKEN) {
            Ok(bytes) => Token::new(String::from_utf8_lossy(&bytes), &format!("`{}`", file.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(HubError::io("read the token file", file, source)),
        }
    }

    /// The value of the `Authorization` header, marked so that no log shows it.
    pub(super) fn authorization(&self) -> Option<ureq::http::HeaderValue> {
        let mut value = ureq::http::HeaderValue::from_str(&format!("Bearer {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// The certificates of `SSL_CERT_FILE` and `SSL_CERT_DIR`, or else of the system; `None` on a system that has none.
fn trusted() -> Result<Option<RootCerts>, HubError> {
    let found = rustls_native_certs::load_native_certs();
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().find(|name| std::env::var_os(name).is_some());
    match (found.certs.is_empty(), named) {
        (true, Some(variable)) => {
            let reason = found.errors.first().map_or("there are none".to_owned(), ToString::to_string);
            Err(HubError::NoCertificates { variable, reason })
        }
        (true, None) => Ok(None),
        (false, _) => {
            let certificates = found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned());
            Ok(Some(RootCerts::from(certificates.collect::<Vec<_>>())))
        }
    }
}

fn is_true(value: &str) -> bool {
    ["1", "true", "yes", "on"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn expand_home(path: PathBuf, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<HubSettings, HubError> {
        let look_up = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        HubSettings::from_variables(look_up, Some(Path::new("/home/min")))
    }

    fn cache(variables: &[(&str, &str)]) -> PathBuf {
        settings(variables).unwrap().cache
    }

    #[test]
    fn nothing_set_means_the_public_hub_and_the_standard_cache() {
        let settings = settings(&[("HF_TOKEN", ""), ("HF_HOME", "")]).unwrap();
        assert_eq!(settings.endpoint, "https://huggingface.co");
        assert_eq!(settings.cache, Path::new("/home/min/.cache/huggingface/hub"));
        assert_eq!((settings.token, settings.offline), (None, false));
    }

    #[test]
    fn the_nearest_variable_names_the_cache() {
        assert_eq!(cache(&[("HF_HUB_CACHE", "/a"), ("HF_HOME", "/b"), ("XDG_CACHE_HOME", "/c")]), Path::new("/a"));
        assert_eq!(cache(&[("HF_HUB_CACHE", "/a"), ("HUGGINGFACE_HUB_CACHE", "/old")]), Path::new("/a"));
        assert_eq!(cache(&[("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HOME", "/b")]), Path::new("/old"));
        assert_eq!(cache(&[("HF_HOME", "/b"), ("XDG_CACHE_HOME", "/c")]), Path::new("/b/hub"));
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/c")]), Path::new("/c/huggingface/hub"));
        assert_eq!(cache(&[("HF_HOME", "~/hf")]), Path::new("/home/min/hf/hub"));
    }

    #[test]
    fn without_a_home_the_cache_must_be_named() {
        let nowhere = HubSettings::from_variables(|_| None, None);
        assert!(matches!(nowhere, Err(HubError::NoCacheFolder)));
    }

    #[test]
    fn offline_takes_the_words_that_huggingface_hub_takes() {
        for (value, offline) in [("1", true), ("TRUE", true), ("yes", true), ("On", true), ("0", false), ("no", false)]
        {
            for name in ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"] {
                assert_eq!(settings(&[(name, value)]).unwrap().offline, offline, "{name}={value}");
            }
        }
    }

    #[test]
    fn the_token_comes_from_the_variable_then_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (home, file) = (folder.path(), folder.path().join("token"));
        std::fs::write(&file, "hf_from_file\n").unwrap();
        let home = ("HF_HOME", home.to_str().unwrap());
        assert_eq!(settings(&[home]).unwrap().token, Some(Token("hf_from_file".into())));
        assert_eq!(settings(&[home, ("HF_TOKEN", " hf_x ")]).unwrap().token, Some(Token("hf_x".into())));
        let old = ("HUGGING_FACE_HUB_TOKEN", "hf_old");
        assert_eq!(settings(&[home, old]).unwrap().token, Some(Token("hf_old".into())));
        assert_eq!(settings(&[home, old, ("HF_TOKEN", "hf_x")]).unwrap().token, Some(Token("hf_x".into())));
        let elsewhere = ("HF_TOKEN_PATH", "/nowhere/token");
        assert_eq!(settings(&[home, elsewhere]).unwrap().token, None);
    }

    #[test]
    fn the_token_is_never_shown() {
        let good = settings(&[("HF_TOKEN", "hf_secret")]).unwrap();
        assert!(!format!("{good:?}").contains("hf_secret"));
        let bad = settings(&[("HF_TOKEN", "hf_secret\r\nX-Evil: 1")]).unwrap_err();
        assert!(!format!("{bad:?} {bad} {:?}", bad.hint()).contains("secret"));
    }
}
