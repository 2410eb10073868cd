//! Rendering chat templates in a process of its own.
//!
//! A template comes with a model and may be anything. The interpreter counts its steps, but one step may double a text or sum
//! a list of any length, and nothing in it bounds memory. A process can be bounded in both, and killed.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::bounds::is_bound;
use super::chat::{ChatTemplate, Message, TEMPLATE_DATE};
use crate::causes::chain;

/// Where chat templates are rendered, and on which day.
#[derive(Debug, Clone)]
pub struct Rendering {
    /// The program that renders them when it is started with [`RENDERS_TEMPLATES`]; `None` renders them in this process, where
    /// a hostile one takes all the memory that there is.
    pub program: Option<PathBuf>,
    /// What `strftime_now` tells.
    pub today: Date,
}

impl Default for Rendering {
    /// In this process, on [`TEMPLATE_DATE`].
    fn default() -> Self {
        Self { program: None, today: TEMPLATE_DATE }
    }
}

impl Rendering {
    /// In another process of this program.
    pub fn apart(today: Date) -> Self {
        // The file by its name may have been replaced by a new build since.
        let here = PathBuf::from("/proc/self/exe");
        let program = if here.exists() { Some(here) } else { std::env::current_exe().ok() };
        Self { program, today }
    }
}

/// The only argument of a process that renders templates.
pub const RENDERS_TEMPLATES: &str = "renders-chat-templates";

/// Longest that a conversation may compute; published templates take milliseconds.
const LONGEST: Duration = Duration::from_secs(5);

/// Longest that it is waited for, the start of the process included: on a machine that is busy with other things, a process may
/// wait many times as long as it computes.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is asked meanwhile whether the user wants to stop.
const TICK: Duration = Duration::from_millis(20);

/// Memory that a process may take for its template, over what it holds when it starts.
const MOST_MEMORY: u64 = 256 << 20;

/// Why a conversation has no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// What the template raises, or cannot compute of this conversation.
    #[error("{0}")]
    Refused(String),
    /// The template does not end, or grows without end.
    #[error("the template {0}")]
    Unbounded(String),
    #[error("cancelled")]
    Cancelled,
    #[error("the process that renders it could not be used: {0}")]
    Process(String),
}

/// A template that is ready to render.
pub(super) struct Renderer {
    template: Template,
    place: Place,
}

enum Place {
    Here(Box<ChatTemplate>),
    Apart { program: PathBuf, state: Mutex<State> },
}

/// What a rendering process is told first.
#[derive(Serialize, Deserialize)]
struct Template {
    source: String,
    special_tokens: BTreeMap<String, String>,
    today: Date,
}

/// What it is told then, over and over.
#[derive(Serialize, Deserialize)]
struct Conversation {
    messages: Vec<Message>,
    add_generation_prompt: bool,
}

/// What it answers to each.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Rendered {
    Text(String),
    Refused(String),
    Unbounded(String),
}

enum State {
    /// Nothing was rendered yet.
    Idle,
    Running(Worker),
    /// It had to be stopped, and would have to be again.
    Stopped(RenderError),
}

impl Renderer {
    /// In this process, on [`TEMPLATE_DATE`].
    ///
    /// # Errors
    /// A template that is not valid Jinja.
    pub(super) fn new(source: &str, special_tokens: BTreeMap<String, String>) -> Result<Self, minijinja::Error> {
        let template = Template { source: source.to_owned(), special_tokens, today: TEMPLATE_DATE };
        Ok(Self { place: Place::Here(Box::new(template.compile()?)), template })
    }

    /// The same template, rendered otherwise.
    ///
    /// # Errors
    /// As [`Renderer::new`].
    pub(super) fn rendered(self, rendering: &Rendering) -> Result<Self, minijinja::Error> {
        let template = Template { today: rendering.today, ..self.template };
        let place = match &rendering.program {
            None => Place::Here(Box::new(template.compile()?)),
            Some(program) => Place::Apart { program: program.clone(), state: Mutex::new(State::Idle) },
        };
        Ok(Self { template, place })
    }

    /// The conversation as text, ending where the assistant's answer begins.
    pub(super) fn render(&self, messages: &[Message], cancelled: &dyn Fn() -> bool) -> Result<String, RenderError> {
        match &self.place {
            Place::Here(template) => render_here(template, messages, true).into(),
            Place::Apart { program, state } => {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                let conversation = Conversation { messages: messages.to_vec(), add_generation_prompt: true };
                let rendered = state.render(program, &self.template, &conversation, cancelled);
                if let Err(error @ (RenderError::Unbounded(_) | RenderError::Process(_))) = &rendered {
                    *state = State::Stopped(error.clone());
                }
                rendered
            }
        }
    }
}

impl Template {
    fn compile(&self) -> Result<ChatTemplate, minijinja::Error> {
        ChatTemplate::new(&self.source, self.special_tokens.clone(), self.today)
    }
}

impl State {
    fn render(
        &mut self,
        program: &PathBuf,
        template: &Template,
        conversation: &Conversation,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<String, RenderError> {
        if let State::Stopped(error) = self {
            return Err(error.clone());
        }
        if let State::Idle = self {
            *self = State::Running(Worker::start(program, template)?);
        }
        let State::Running(worker) = self else { return Err(RenderError::Cancelled) };
        let rendered = worker.ask(conversation, cancelled);
        if rendered == Err(RenderError::Cancelled) {
            // What it was asked is of no use to the next.
            *self = State::Idle;
        }
        rendered
    }
}

/// A process that renders one template; ended when dropped.
struct Worker {
    child: Child,
    input: ChildStdin,
    output: Receiver<io::Result<String>>,
}

impl Worker {
    fn start(program: &PathBuf, template: &Template) -> Result<Self, RenderError> {
        let mut worker = Self::spawn(program).map_err(|error| RenderError::Process(error.to_string()))?;
        match worker.tell(template) {
            Ok(()) => Ok(worker),
            Err(_) => Err(worker.ended()),
        }
    }

    fn spawn(program: &PathBuf) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.arg(RENDERS_TEMPLATES).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Ctrl-C is for this process, which ends the other.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("it has no pipes"));
        };
        let (sender, receiver) = channel();
        std::thread::Builder::new().spawn(move || {
            for line in BufReader::new(output).lines() {
                if sender.send(line).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { child, input, output: receiver })
    }

    fn tell(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        self.input.write_all(text.as_bytes())
    }

    fn ask(&mut self, conversation: &Conversation, cancelled: &dyn Fn() -> bool) -> Result<String, RenderError> {
        if self.tell(conversation).is_err() {
            return Err(self.ended());
        }
        let ticks = PATIENCE.as_millis() / TICK.as_millis();
        for _ in 0..ticks {
            match self.output.recv_timeout(TICK) {
                Ok(Ok(line)) => {
                    let read: Result<Rendered, _> = serde_json::from_str(&line);
                    return read.map_err(|error| RenderError::Process(error.to_string()))?.into();
                }
                Ok(Err(error)) => return Err(RenderError::Process(error.to_string())),
                Err(RecvTimeoutError::Timeout) if cancelled() => return Err(RenderError::Cancelled),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
            }
        }
        Err(takes_too_long(PATIENCE))
    }

    /// Why it answers no more.
    fn ended(&mut self) -> RenderError {
        let Ok(status) = self.child.wait() else { return RenderError::Process("it ended".into()) };
        #[cfg(unix)]
        match std::os::unix::process::ExitStatusExt::signal(&status) {
            Some(libc::SIGPROF) => return takes_too_long(LONGEST),
            // By the limit, by the system's lack of memory, or by a stack without end.
            Some(libc::SIGABRT | libc::SIGKILL | libc::SIGSEGV | libc::SIGBUS) => {
                return RenderError::Unbounded(format!("takes more than {} MiB of memory", MOST_MEMORY >> 20));
            }
            _ => {}
        }
        RenderError::Process(format!("it ended with {status}"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Fails only where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn takes_too_long(time: Duration) -> RenderError {
    RenderError::Unbounded(format!("takes longer than {} s", time.as_secs()))
}

fn render_here(template: &ChatTemplate, messages: &[Message], add_generation_prompt: bool) -> Rendered {
    match template.render(messages, add_generation_prompt) {
        Ok(text) => Rendered::Text(text),
        Err(error) if is_bound(&error) => {
            Rendered::Unbounded(format!("does not end in reasonable time or length: {}", chain(&error)))
        }
        Err(error) => Rendered::Refused(chain(&error)),
    }
}

impl From<Rendered> for Result<String, RenderError> {
    fn from(rendered: Rendered) -> Self {
        match rendered {
            Rendered::Text(text) => Ok(text),
            Rendered::Refused(why) => Err(RenderError::Refused(why)),
            Rendered::Unbounded(why) => Err(RenderError::Unbounded(why)),
        }
    }
}

/// What a process does that was started with [`RENDERS_TEMPLATES`]: bounds itself, reads a template and then conversations
/// from standard input, a line each, and answers each conversation with a line, until there are no more.
///
/// # Errors
/// Input that is not of that form, or a reader who is gone.
pub fn render_templates() -> io::Result<()> {
    bound_memory();
    answer(io::stdin().lock(), io::stdout().lock(), end_after)
}

/// `end_after` has this process ended once it has computed so long, or not after all if that is zero.
fn answer(input: impl BufRead, mut output: impl Write, end_after: fn(Duration)) -> io::Result<()> {
    let mut lines = input.lines();
    let Some(template) = lines.next() else { return Ok(()) };
    let template: Template = serde_json::from_str(&template?)?;
    let template = template.compile().map_err(io::Error::other)?;
    for line in lines {
        let Conversation { messages, add_generation_prompt } = serde_json::from_str(&line?)?;
        end_after(LONGEST);
        let rendered = render_here(&template, &messages, add_generation_prompt);
        end_after(Duration::ZERO);
        serde_json::to_writer(&mut output, &rendered)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

/// Lets this process have [`MOST_MEMORY`] more than it has, or less where it may have less already.
fn bound_memory() {
    #[cfg(unix)]
    {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: it writes to the limit, which outlives the call.
        if unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) } != 0 {
            return;
        }
        let most = address_space().saturating_add(MOST_MEMORY) as libc::rlim_t;
        limit.rlim_cur = limit.rlim_cur.min(most);
        // SAFETY: it reads the limit. Where it fails, nothing is bounded but time.
        unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) };
    }
}

/// Bytes of address space that this process takes; what a small process may take where the system does not tell.
#[cfg(unix)]
fn address_space() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|pages| pages.split(' ').next()?.parse::<u64>().ok());
    // SAFETY: it only asks.
    let page = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    pages.map_or(1 << 30, |pages| pages.saturating_mul(page))
}

/// The timer of what a process computes, by the number that all systems give it and libc does not have for all.
#[cfg(unix)]
const ITIMER_PROF: libc::c_int = 2;

fn end_after(time: Duration) {
    #[cfg(unix)]
    {
        let once = libc::timeval { tv_sec: time.as_secs() as libc::time_t, tv_usec: 0 };
        let timer = libc::itimerval { it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 }, it_value: once };
        // SAFETY: it reads the timer, whose signal nobody catches.
        unsafe { libc::setitimer(ITIMER_PROF, &timer, std::ptr::null_mut()) };
    }
    #[cfg(not(unix))]
    let _ = time;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(source: &str) -> String {
        let template = Template { source: source.into(), special_tokens: BTreeMap::new(), today: TEMPLATE_DATE };
        serde_json::to_string(&template).unwrap()
    }

    fn line(text: &str) -> String {
        let conversation = Conversation { messages: vec![Message::user(text)], add_generation_prompt: true };
        serde_json::to_string(&conversation).unwrap()
    }

    #[test]
    fn each_conversation_is_answered_by_a_line_in_order() {
        let source = "{% if messages[0].content == 'no' %}{{ raise_exception('never') }}{% endif %}\
                      {{ messages[0].content }}\n{{ strftime_now('%Y-%m-%d') }}";
        let input = [template(source), line("가\n나"), line("no"), line("b")].join("\n");
        let mut output = Vec::new();
        answer(input.as_bytes(), &mut output, |_| {}).unwrap();
        let answers: Vec<Result<String, RenderError>> = String::from_utf8(output)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<Rendered>(line).unwrap().into())
            .collect();
        assert_eq!(answers[0], Ok("가\n나\n2026-01-01".into()));
        assert!(matches!(&answers[1], Err(RenderError::Refused(why)) if why.contains("never")), "{:?}", answers[1]);
        assert_eq!(answers[2], Ok("b\n2026-01-01".into()));
        assert_eq!(answers.len(), 3);
    }

    #[test]
    fn a_template_that_takes_too_many_steps_is_told_from_one_that_refuses() {
        let endless = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
        let render =
            |source: &str| Renderer::new(source, BTreeMap::new()).unwrap().render(&[Message::user("a")], &|| false);
        assert!(matches!(render(endless), Err(RenderError::Unbounded(why)) if why.contains("fuel")));
        assert!(matches!(render("{{ messages.a.b }}"), Err(RenderError::Refused(_))));
        assert_eq!(render("{{ messages[0].content }}"), Ok("a".into()));
    }

    /// A program that is no renderer, or is not there.
    #[cfg(unix)]
    #[test]
    fn a_process_that_cannot_be_used_is_named() {
        let render = |program: &str| {
            let rendering = Rendering { program: Some(program.into()), today: TEMPLATE_DATE };
            let renderer = Renderer::new("a", BTreeMap::new()).unwrap().rendered(&rendering).unwrap();
            renderer.render(&[Message::user("a")], &|| false)
        };
        assert!(matches!(render("/nowhere/bench"), Err(RenderError::Process(_))));
        assert!(matches!(render("/bin/false"), Err(RenderError::Process(why)) if why.contains("exit status: 1")));
    }
}
