//! The client: one GET at a time, redirects followed by hand, statuses turned into errors that say what to do.
//!
//! Redirects are followed here and not by `ureq` because the Hub sends large files to other hosts, which must not see
//! the token, and small ones to another path of its own, which needs it.

use std::io::{self, Read};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use serde::de::DeserializeOwned;
use ureq::RequestBuilder;
use ureq::http::header::{AUTHORIZATION, CONTENT_RANGE, ETAG, LOCATION, RANGE, RETRY_AFTER};
use ureq::http::{HeaderMap, Response, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::typestate::WithoutBody;

use super::address::{Endpoint, Origin, follow};
use super::attempts::{Attempts, Fault, Sleep, check};
use super::error::{HubError, shown};
use super::names::{escape_path, escape_revision, is_blob_name};
use super::settings::{HubSettings, Patience, Token};

const MAX_REDIRECTS: usize = 8;
/// Of a JSON answer. A page of 1,000 files takes about half a mebibyte.
const MAX_JSON: u64 = 16 << 20;

/// What a request is about, so that a refusal can name it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub repository: &'a str,
    pub revision: &'a str,
    pub file: Option<&'a str>,
}

/// An answer of status 2xx, or 416.
pub(super) struct Answer {
    pub response: Response<ureq::Body>,
    /// Where it came from in the end.
    pub uri: Uri,
    /// The hash that the endpoint itself stated for the file, if it stated one.
    pub stated_hash: Option<String>,
}

impl Answer {
    pub(super) fn host(&self) -> String {
        host_of(&self.uri)
    }

    pub(super) fn header(&self, name: impl ureq::http::header::AsHeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// First byte and total size of a partial answer; the total is `None` where the server does not know it.
    pub(super) fn content_range(&self) -> Option<(u64, Option<u64>)> {
        let (range, total) = self.header(CONTENT_RANGE)?.trim().strip_prefix("bytes ")?.split_once('/')?;
        let first = range.split_once('-')?.0.trim().parse().ok()?;
        Some((first, total.trim().parse().ok()))
    }

    pub(super) fn bad(&self, reason: impl Into<String>) -> HubError {
        HubError::BadResponse { host: self.host(), reason: reason.into() }
    }
}

/// Asks the Hub.
pub(super) struct Client {
    agent: ureq::Agent,
    endpoint: Endpoint,
    token: Option<Token>,
}

impl Client {
    pub(super) fn new(settings: &HubSettings) -> Result<Self, HubError> {
        let patience = &settings.patience;
        let roots = settings.roots.clone().unwrap_or(RootCerts::WebPki);
        let tls = TlsConfig::builder().root_certs(roots).build();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("bench/", env!("CARGO_PKG_VERSION")))
            // A compressed answer has another size than the file.
            .accept_encoding("identity")
            .proxy(settings.proxy.clone())
            .timeout_resolve(Some(patience.connect))
            .timeout_connect(Some(patience.connect))
            .timeout_per_read(Some(patience.idle))
            .timeout_recv_response(Some(patience.idle))
            .tls_config(tls)
            .timeout_per_write(Some(patience.idle))
            .build();
        let endpoint = Endpoint::parse(&settings.endpoint)?;
        Ok(Client { agent: config.into(), endpoint, token: settings.token.clone() })
    }

    /// The page of a repository, where a person can accept its licence.
    pub(super) fn page(&self, repository: &str) -> String {
        format!("{}/{repository}", self.endpoint.base)
    }

    pub(super) fn revision_address(&self, repository: &str, revision: &str) -> String {
        format!("{}/api/models/{repository}/revision/{}", self.endpoint.base, escape_revision(revision))
    }

    pub(super) fn tree_address(&self, repository: &str, commit: &str) -> String {
        format!("{}/api/models/{repository}/tree/{commit}?recursive=true", self.endpoint.base)
    }

    pub(super) fn file_address(&self, repository: &str, commit: &str, path: &str) -> String {
        format!("{}/{repository}/resolve/{commit}/{}", self.endpoint.base, escape_path(path))
    }

    /// One attempt at an address; of a range, from its first byte up to and with its last, or to the end.
    pub(super) fn get(
        &self,
        address: &str,
        range: Option<(u64, Option<u64>)>,
        subject: &Subject,
        cancel: &AtomicBool,
    ) -> Result<Answer, Fault> {
        let bad = |host: &str, reason: String| HubError::BadResponse { host: host.to_owned(), reason };
        let mut uri: Uri = address.parse().map_err(|_| bad(&self.endpoint.origin.host, shown(address)))?;
        let mut stated_hash = None;
        for _ in 0..=MAX_REDIRECTS {
            let own = Origin::of(&uri).as_ref() == Some(&self.endpoint.origin);
            let mut request = self.agent.get(uri.clone());
            if let Some((first, last)) = range {
                let last = last.map(|last| last.to_string()).unwrap_or_default();
                request = request.header(RANGE, format!("bytes={first}-{last}"));
            }
            if own && let Some(authorization) = self.token.as_ref().and_then(Token::authorization) {
                request = request.header(AUTHORIZATION, authorization);
            }
            let response = call(request, cancel)?.map_err(|error| lost(&uri, error))?;
            let (status, headers) = (response.status(), response.headers());
            if own {
                let etag = || text(headers, ETAG).filter(|_| status.is_success());
                let stated = text(headers, "x-linked-etag").or_else(etag);
                stated_hash = stated.and_then(hash_in).or(stated_hash);
            }
            match status.as_u16() {
                301 | 302 | 303 | 307 | 308 => {
                    let next = text(headers, LOCATION).and_then(|location| follow(&uri, location));
                    let host = host_of(&uri);
                    uri = next.ok_or_else(|| bad(&host, "it redirects to no usable address".to_owned()))?;
                }
                200..=299 | 416 => return Ok(Answer { response, uri, stated_hash }),
                status => return Err(self.refusal(status, headers, &uri, own, subject)),
            }
        }
        Err(Fault::Lasting(bad(&host_of(&uri), format!("it redirects more than {MAX_REDIRECTS} times"))))
    }

    /// A JSON document of bounded size and what its headers say, asked for as often as it takes.
    pub(super) fn json<T: DeserializeOwned>(
        &self,
        address: &str,
        subject: &Subject,
        patience: &Patience,
        sleep: &Sleep,
        cancel: &AtomicBool,
    ) -> Result<(T, HeaderMap, Uri), HubError> {
        let mut attempts = Attempts::new(format!("ask about `{}`", subject.repository), patience, sleep, cancel);
        loop {
            let answer = self.get(address, None, subject, cancel).and_then(|mut answer| {
                let body = read_bounded(&mut answer, cancel)?;
                match serde_json::from_slice(&body) {
                    Ok(value) => Ok((value, answer.response.headers().clone(), answer.uri)),
                    Err(error) => Err(Fault::Lasting(answer.bad(shown(&error.to_string())))),
                }
            });
            match answer {
                Ok(answer) => return Ok(answer),
                Err(fault) => attempts.after(fault)?,
            }
        }
    }

    fn refusal(&self, status: u16, headers: &HeaderMap, uri: &Uri, own: bool, subject: &Subject) -> Fault {
        let busy = HubError::Status { host: host_of(uri), status };
        // An address on another host is signed for a while only; the endpoint gives a new one.
        let expired = !own && matches!(status, 401 | 403);
        if expired || matches!(status, 408 | 429 | 500..=599) {
            return Fault::Passing { error: busy, wait: retry_after(headers) };
        }
        if !own {
            return Fault::Lasting(busy);
        }
        let (repository, revision) = (subject.repository.to_owned(), subject.revision.to_owned());
        let page = self.page(&repository);
        let token_sent = self.token.is_some();
        Fault::Lasting(match (status, text(headers, "x-error-code"), subject.file) {
            (_, Some("GatedRepo"), _) => HubError::Gated { repository, page, token_sent },
            (401 | 403, _, _) => HubError::Refused { repository, page, status, token_sent },
            (404, Some("RepoNotFound"), _) => HubError::RepositoryNotFound { repository, page },
            (404, Some("RevisionNotFound"), _) => HubError::RevisionNotFound { repository, revision, page },
            (404, _, Some(file)) => {
                HubError::FileNotFound { repository, revision, file: file.to_owned(), similar: Vec::new() }
            }
            // A server that gives no code: the default branch is missing only where the repository is.
            (404, _, None) if revision == "main" => HubError::RepositoryNotFound { repository, page },
            (404, _, None) => HubError::RevisionNotFound { repository, revision, page },
            _ => busy,
        })
    }
}

/// Asks, and stops waiting once the user wants to: a server may take its time over every byte of the headers. The thread
/// that still waits then ends with the program, or with the time that an answer may take.
fn call(
    request: RequestBuilder<WithoutBody>,
    cancel: &AtomicBool,
) -> Result<Result<Response<ureq::Body>, ureq::Error>, HubError> {
    const ASK_AGAIN: Duration = Duration::from_millis(50);
    let (sender, receiver) = channel();
    let asking = std::thread::Builder::new().spawn(move || {
        // Nobody listens any more where the user did not wait.
        let _ = sender.send(request.call());
    });
    if let Err(error) = asking {
        return Ok(Err(ureq::Error::Io(error)));
    }
    loop {
        match receiver.recv_timeout(ASK_AGAIN) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Timeout) => check(cancel)?,
            Err(RecvTimeoutError::Disconnected) => return Ok(Err(ureq::Error::Io(io::ErrorKind::BrokenPipe.into()))),
        }
    }
}

/// What a failed read of a body means: the line was cut, and may be there again.
pub(super) fn cut(uri: &Uri, source: io::Error) -> Fault {
    Fault::Passing { error: HubError::Cut { host: host_of(uri), source }, wait: None }
}

fn read_bounded(answer: &mut Answer, cancel: &AtomicBool) -> Result<Vec<u8>, Fault> {
    let uri = answer.uri.clone();
    let mut reader = answer.response.body_mut().as_reader();
    let (mut body, mut chunk) = (Vec::new(), [0; 16 << 10]);
    loop {
        check(cancel)?;
        match reader.read(&mut chunk) {
            Ok(0) => return Ok(body),
            Ok(read) => body.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(cut(&uri, error)),
        }
        if body.len() as u64 > MAX_JSON {
            let reason = format!("it is longer than {} MiB", MAX_JSON >> 20);
            return Err(Fault::Lasting(HubError::BadResponse { host: host_of(&uri), reason }));
        }
    }
}

/// What it means that a request got no answer.
fn lost(uri: &Uri, error: ureq::Error) -> Fault {
    use io::ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable};
    let host = host_of(uri);
    if let Some(reason) = untrusted(&error) {
        return Fault::Lasting(HubError::Untrusted { host, reason });
    }
    match error {
        ureq::Error::Io(source) => match source.kind() {
            ConnectionRefused | HostUnreachable | NetworkUnreachable | AddrNotAvailable => {
                Fault::NoWay(HubError::Unreachable { host, source: Box::new(ureq::Error::Io(source)) })
            }
            _ => cut(uri, source),
        },
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) | ureq::Error::HostNotFound => {
            Fault::NoWay(HubError::Unreachable { host, source: Box::new(error) })
        }
        ureq::Error::Timeout(_) => cut(uri, error.into_io()),
        ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) | ureq::Error::Http(_) => {
            Fault::Lasting(HubError::BadResponse { host, reason: shown(&error.to_string()) })
        }
        error => Fault::Lasting(HubError::Unreachable { host, source: Box::new(error) }),
    }
}

/// Why a server's certificate is refused, if that is what went wrong: it would be again.
fn untrusted(error: &ureq::Error) -> Option<String> {
    let error = match error {
        ureq::Error::Rustls(error) => error,
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref::<rustls::Error>()?,
        _ => return None,
    };
    match error {
        rustls::Error::InvalidCertificate(reason) => Some(shown(&reason.to_string())),
        _ => None,
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    text(headers, RETRY_AFTER)?.trim().parse().ok().map(Duration::from_secs)
}

/// The hash in an entity tag, if it is one.
fn hash_in(etag: &str) -> Option<String> {
    let tag = etag.trim().trim_start_matches("W/").trim_matches('"');
    is_blob_name(tag).then(|| tag.to_owned())
}

fn text(headers: &HeaderMap, name: impl ureq::http::header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// For messages: the host alone, as the rest of an address may be signed.
fn host_of(uri: &Uri) -> String {
    match (uri.host(), uri.port_u16()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or("an unknown host").to_owned(),
    }
}
