//! A stand-in for the Hugging Face Hub on loopback: one repository, scripted faults, and a memory of what was asked.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use sha1::Sha1;
use sha2::{Digest, Sha256};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub const REPOSITORY: &str = "org/name";

/// The one repository that a stand-in has.
#[derive(Clone, Default)]
pub struct Contents {
    files: BTreeMap<String, StoredFile>,
    raw_entries: Vec<String>,
    page_size: Option<usize>,
    cdn: Option<String>,
}

#[derive(Clone)]
struct StoredFile {
    content: Vec<u8>,
    large: bool,
    hash: String,
}

impl Contents {
    /// A file that stands in git itself: the hash of its git blob is stated, and no SHA-256.
    pub fn small(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        let content = content.into();
        let hash = git_blob_hash(&content);
        self.files.insert(path.to_owned(), StoredFile { content, large: false, hash });
        self
    }

    /// A file in LFS.
    pub fn large(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        let content = content.into();
        let hash = sha256(&content);
        self.files.insert(path.to_owned(), StoredFile { content, large: true, hash });
        self
    }

    pub fn page_size(self, files: usize) -> Self {
        Contents { page_size: Some(files), ..self }
    }

    /// A further entry of the tree, as JSON, for what no honest Hub states.
    pub fn raw_entry(mut self, json: String) -> Self {
        self.raw_entries.push(json);
        self
    }

    /// Large files are redirected to this server.
    pub fn cdn(self, endpoint: String) -> Self {
        Contents { cdn: Some(endpoint), ..self }
    }

    pub fn content(&self, path: &str) -> &[u8] {
        &self.files[path].content
    }

    pub fn hash(&self, path: &str) -> &str {
        &self.files[path].hash
    }
}

/// What goes wrong with one answer.
#[derive(Clone)]
pub enum Fault {
    /// The connection ends after so many bytes of the body.
    CutAfter(usize),
    /// Nothing more comes after so many bytes of the body, and the connection stays.
    StallAfter(usize),
    /// After so many bytes of the body the rest comes byte by byte.
    DripAfter(usize),
    /// Everything comes byte by byte, from the first of the headers.
    DripHead,
    Status(u16, &'static [(&'static str, &'static str)]),
    /// This body, with status 200 and the headers of the good file but for the length.
    Body(Vec<u8>),
    /// This body, with status 200, ending where the connection ends.
    BodyWithoutLength(Vec<u8>),
    IgnoreRange,
    /// A part that begins elsewhere than asked for.
    OtherRange,
    /// These bytes instead of an answer.
    Raw(Vec<u8>),
}

/// A request that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    pub range: Option<String>,
    pub authorization: Option<String>,
}

struct State {
    contents: Contents,
    once: HashMap<String, VecDeque<Fault>>,
    always: HashMap<String, Fault>,
    requests: Vec<Request>,
}

/// The server; it stops when dropped.
pub struct HubStandIn {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl HubStandIn {
    pub fn start(contents: Contents) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { contents, once: HashMap::new(), always: HashMap::new(), requests: Vec::new() };
        let (state, stop) = (Arc::new(Mutex::new(state)), Arc::new(AtomicBool::new(false)));
        let (served, stopped) = (state.clone(), stop.clone());
        let acceptor = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), state, stop) = (stream, served.clone(), stopped.clone()) else { continue };
                // A client that hangs up is no failure of the stand-in.
                std::thread::spawn(move || serve(stream, address, &state, &stop).ok());
            }
        });
        HubStandIn { address, state, stop, acceptor: Some(acceptor) }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next answer for a file goes wrong like this; several stand in line.
    pub fn once(&self, path: &str, fault: Fault) -> &Self {
        self.state().once.entry(address_of(path)).or_default().push_back(fault);
        self
    }

    /// Every answer for a file goes wrong like this.
    pub fn always(&self, path: &str, fault: Fault) -> &Self {
        self.state().always.insert(address_of(path), fault);
        self
    }

    pub fn heal(&self) {
        let mut state = self.state();
        state.once.clear();
        state.always.clear();
    }

    pub fn set_contents(&self, contents: Contents) {
        self.state().contents = contents;
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// The `Range` headers of all requests for a file; `None` stands for the whole file.
    pub fn ranges(&self, path: &str) -> Vec<Option<String>> {
        let address = address_of(path);
        self.requests().into_iter().filter(|request| request.path == address).map(|request| request.range).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for HubStandIn {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// The address of a file, or, beginning with a slash, any other one.
fn address_of(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{REPOSITORY}/resolve/{COMMIT}/{path}") }
}

pub fn revision_address(revision: &str) -> String {
    format!("/api/models/{REPOSITORY}/revision/{revision}")
}

pub fn tree_address() -> String {
    format!("/api/models/{REPOSITORY}/tree/{COMMIT}?recursive=true")
}

pub fn sha256(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

/// What `git hash-object` prints.
pub fn git_blob_hash(content: &[u8]) -> String {
    let header = format!("blob {}\0", content.len());
    hex(&Sha1::digest([header.as_bytes(), content].concat()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn serve(mut stream: TcpStream, own: SocketAddr, state: &Mutex<State>, stop: &AtomicBool) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut request = Request { path, range: None, authorization: None };
    while let Some(line) = lines.next().transpose()?.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = Some(value.trim().to_owned()),
            "authorization" => request.authorization = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let (contents, fault) = {
        let mut state = state.lock().unwrap();
        if request.path.is_empty() {
            return Ok(());
        }
        state.requests.push(request.clone());
        let once = state.once.get_mut(&request.path).and_then(VecDeque::pop_front);
        (state.contents.clone(), once.or_else(|| state.always.get(&request.path).cloned()))
    };
    let answer = answer(&contents, own, &request, fault.as_ref());
    if matches!(fault, Some(Fault::DripHead)) {
        return drip(&mut stream, &[answer.head, answer.body].concat(), stop);
    }
    stream.write_all(&answer.head)?;
    let end = match fault {
        Some(Fault::CutAfter(bytes) | Fault::StallAfter(bytes) | Fault::DripAfter(bytes)) => {
            bytes.min(answer.body.len())
        }
        _ => answer.body.len(),
    };
    stream.write_all(&answer.body[..end])?;
    stream.flush()?;
    if matches!(fault, Some(Fault::DripAfter(_))) {
        drip(&mut stream, &answer.body[end..], stop)?;
    }
    while matches!(fault, Some(Fault::StallAfter(_))) && !stop.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(10));
    }
    // Closed in order, with nothing unread, so that all that was written arrives.
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    std::io::copy(&mut stream.take(1 << 20), &mut std::io::sink()).map(drop)
}

/// A byte every few milliseconds, until the client is gone.
fn drip(stream: &mut TcpStream, bytes: &[u8], stop: &AtomicBool) -> std::io::Result<()> {
    for byte in bytes.chunks(1) {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        stream.write_all(byte)?;
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

struct Answer {
    head: Vec<u8>,
    body: Vec<u8>,
}

fn plain(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
    let body = body.into();
    let mut head = format!("HTTP/1.1 {status} Whatever\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !headers.iter().any(|(name, _)| *name == "Content-Length" || *name == "X-No-Length") {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    Answer { head: head.into_bytes(), body }
}

fn answer(contents: &Contents, own: SocketAddr, request: &Request, fault: Option<&Fault>) -> Answer {
    match fault {
        Some(Fault::Status(status, headers)) => return plain(*status, headers, "{\"error\": \"scripted\"}"),
        Some(Fault::Raw(bytes)) => return Answer { head: bytes.clone(), body: Vec::new() },
        _ => {}
    }
    let path = request.path.as_str();
    let not_found = |code: &str| plain(404, &[("X-Error-Code", code)], "{\"error\": \"not found\"}");
    if let Some(rest) = path.strip_prefix(&format!("/api/models/{REPOSITORY}/")) {
        match (rest.strip_prefix("revision/"), rest.strip_prefix(&format!("tree/{COMMIT}?"))) {
            (Some("main" | COMMIT | "refs%2Fpr%2F1"), _) => match fault {
                Some(Fault::Body(body)) => plain(200, &[], body.clone()),
                _ => plain(200, &[], format!("{{\"id\": \"{REPOSITORY}\", \"sha\": \"{COMMIT}\"}}")),
            },
            (_, Some(query)) => match fault {
                Some(Fault::Body(body)) => plain(200, &[], body.clone()),
                _ => tree(contents, own, query),
            },
            _ => not_found("RevisionNotFound"),
        }
    } else if path.starts_with("/api/") {
        not_found("RepoNotFound")
    } else if let Some(file) = path.strip_prefix(&format!("/{REPOSITORY}/resolve/{COMMIT}/")) {
        match (contents.files.get(file), &contents.cdn) {
            (None, _) => not_found("EntryNotFound"),
            (Some(file), Some(cdn)) if file.large => {
                let location = format!("{cdn}/cdn/{}?signature=s1gned", file.hash);
                let tag = format!("\"{}\"", file.hash);
                plain(302, &[("Location", &location), ("X-Linked-Etag", &tag), ("X-Repo-Commit", COMMIT)], "Found")
            }
            (Some(file), _) => send(file, &file.hash, request, fault),
        }
    } else if let Some(hash) = path.strip_prefix("/cdn/").and_then(|rest| rest.split('?').next()) {
        match contents.files.values().find(|file| file.hash == hash) {
            // A content store has entity tags of its own, which may look like a hash of the file and are not.
            Some(file) => send(file, &sha256(b"tag of the content store"), request, fault),
            None => not_found("EntryNotFound"),
        }
    } else {
        not_found("RepoNotFound")
    }
}

fn tree(contents: &Contents, own: SocketAddr, query: &str) -> Answer {
    let entry = |(path, file): (&String, &StoredFile)| {
        let (size, hash) = (file.content.len(), &file.hash);
        match file.large {
            true => format!(
                r#"{{"type": "file", "oid": "{}", "size": {size}, "path": "{path}",
                "lfs": {{"oid": "{hash}", "size": {size}, "pointerSize": 134}}, "xetHash": "{hash}"}}"#,
                "a".repeat(40)
            ),
            false => format!(r#"{{"type": "file", "oid": "{hash}", "size": {size}, "path": "{path}"}}"#),
        }
    };
    let mut entries =
        vec![format!(r#"{{"type": "directory", "oid": "{}", "size": 0, "path": "sub"}}"#, "b".repeat(40))];
    entries.extend(contents.files.iter().map(entry));
    entries.extend(contents.raw_entries.iter().cloned());

    let start = query.split("cursor=").nth(1).and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
    let end = contents.page_size.map_or(entries.len(), |size| entries.len().min(start + size));
    let body = format!("[{}]", entries[start..end].join(","));
    let next = format!("<http://{own}{}&cursor={end}>; rel=\"next\"", tree_address());
    let link = [("Link", next.as_str())];
    plain(200, if end < entries.len() { &link } else { &[] }, body)
}

fn send(file: &StoredFile, tag: &str, request: &Request, fault: Option<&Fault>) -> Answer {
    let (size, tag) = (file.content.len(), format!("\"{tag}\""));
    let common = [("ETag", tag.as_str()), ("X-Repo-Commit", COMMIT), ("Accept-Ranges", "bytes")];
    match fault {
        Some(Fault::Body(body)) => return plain(200, &common, body.clone()),
        Some(Fault::BodyWithoutLength(body)) => {
            return plain(200, &[&common[..], &[("X-No-Length", "1")]].concat(), body.clone());
        }
        _ => {}
    }
    // From a first byte up to and with a last one, or to the end.
    let range = request.range.as_deref().and_then(|range| {
        let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
        Some((first.parse::<usize>().ok()?, last.parse().unwrap_or(usize::MAX).min(size.saturating_sub(1))))
    });
    match (range, fault) {
        (Some(_), Some(Fault::IgnoreRange)) | (None, _) => plain(200, &common, file.content.clone()),
        (Some((from, _)), _) if from >= size => plain(416, &[("Content-Range", &format!("bytes */{size}"))], ""),
        (Some((from, last)), fault) => {
            let from = if matches!(fault, Some(Fault::OtherRange)) { from.abs_diff(1) } else { from };
            let range = format!("bytes {from}-{last}/{size}");
            plain(206, &[&common[..], &[("Content-Range", &range)]].concat(), &file.content[from..=last])
        }
    }
}
