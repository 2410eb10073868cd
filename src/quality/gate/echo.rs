//! Echo: an answer that is mostly the prompt again.

use super::super::exchange::Exchange;
use super::super::script::Letter;
use super::super::verdict::Verdict;
use super::repetition::asks_to_repeat;

/// Letters and digits on end, in common with the prompt, that are a copy; and of Latin letters, which say less each.
const RUN: usize = 8;
const LATIN_RUN: usize = 16;

/// Letters and digits under which an answer is too short for runs.
const SHORT: usize = 16;

/// Fails if over half of the answer's letters and digits lie in runs that the prompt contains too: of 8 or more, of 16 or
/// more where most of the run is Latin. Case, white space and punctuation do not count. The system message counts as well.
///
/// An answer under 16 letters and digits fails if the user's message contains all of it, unless it is a label that was
/// asked for, one of several that the message lists, or the head of a table. A prompt that wants its own text back, or a
/// repetition, is not judged.
pub(super) fn judge(exchange: &Exchange) -> Verdict {
    if exchange.copies_prompt || asks_to_repeat(&exchange.prompt) {
        return Verdict::NotApplicable;
    }
    let answer = letters(&exchange.answer);
    if answer.is_empty() {
        return Verdict::NotApplicable;
    }
    let prompt = letters(&exchange.prompt);
    if answer.len() < SHORT {
        return short(exchange, &answer, &prompt);
    }
    // The boundary keeps a run from going on from one message into the other.
    let both: Vec<char> = letters(&exchange.system).into_iter().chain(['\n']).chain(prompt).collect();
    let copied = copied(&both, &answer);
    let count = copied.iter().filter(|copied| **copied).count();
    if 2 * count <= answer.len() {
        return Verdict::Pass;
    }
    let place = copied.iter().position(|copied| *copied).unwrap_or(0);
    let quoted: String = answer[place..].iter().take(40).collect();
    Verdict::at(&quoted, format!("{} % of the letters are the prompt's", 100 * count / answer.len()))
}

fn short(exchange: &Exchange, answer: &[char], prompt: &[char]) -> Verdict {
    let contained = prompt.windows(answer.len()).any(|window| window == answer);
    let is_label = exchange.labels.iter().any(|label| letters(label) == *answer);
    // A number is taken from the prompt, not copied; a word of one letter is in any text.
    let says_something = answer.len() > 1 && answer.iter().any(|c| c.is_alphabetic());
    let is_table = exchange.answer.contains('|');
    if contained && says_something && !is_label && !is_table && !is_listed(&exchange.prompt, &exchange.answer) {
        return Verdict::at(&exchange.answer, "the prompt contains all of the answer");
    }
    Verdict::Pass
}

/// Whether the prompt names the answer as one of several to choose from: `긍정/부정`, `yes or no`, `"A", "B"`.
fn is_listed(prompt: &str, answer: &str) -> bool {
    let word = answer.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let prompt = prompt.to_lowercase();
    let quotes = |c: char| matches!(c, '"' | '\'' | '“' | '”' | '‘' | '’' | '`' | '(' | ')' | '[' | ']' | '*' | ' ');
    let separators = ['/', '·', '|', ',', '、', 'ㆍ'];
    prompt.match_indices(&word).any(|(at, found)| {
        let before = prompt[..at].trim_end_matches(quotes);
        let after = prompt[at + found.len()..].trim_start_matches(quotes);
        let listed_before =
            before.ends_with(separators) || [" or", "또는", "혹은", "아니면"].iter().any(|or| before.ends_with(or));
        let listed_after = after.starts_with(separators)
            || ["or ", "또는", "혹은", "아니면", "중 하나", "중에"].iter().any(|or| after.starts_with(or));
        let apart = !prompt[..at].ends_with(char::is_alphanumeric);
        apart && (listed_before || listed_after)
    })
}

/// The letters and digits of a text, case folded.
fn letters(text: &str) -> Vec<char> {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Which characters of the answer lie in a run that the prompt contains.
fn copied(prompt: &[char], answer: &[char]) -> Vec<bool> {
    let automaton = Automaton::of(prompt);
    let mut copied = vec![false; answer.len()];
    // Latin letters before each character.
    let mut latin = vec![0; answer.len() + 1];
    for (at, character) in answer.iter().enumerate() {
        latin[at + 1] = latin[at] + usize::from(Letter::of(*character) == Some(Letter::Latin));
    }
    // What is marked so far, so that each character is marked once.
    let mut marked = 0;
    for (at, length) in automaton.longest_suffixes(answer).into_iter().enumerate() {
        let start = at + 1 - length;
        let least = if 2 * (latin[at + 1] - latin[start]) > length { LATIN_RUN } else { RUN };
        if length >= least {
            for mark in &mut copied[start.max(marked)..=at] {
                *mark = true;
            }
            marked = at + 1;
        }
    }
    copied
}

/// All substrings of a text as an automaton (Blumer et al. 1985): linear in the text, and in what is looked up.
struct Automaton {
    states: Vec<State>,
}

#[derive(Default, Clone)]
struct State {
    /// Length of the longest substring that ends here.
    length: usize,
    link: Option<usize>,
    next: std::collections::HashMap<char, usize>,
}

impl Automaton {
    fn of(text: &[char]) -> Self {
        let mut automaton = Self { states: vec![State::default()] };
        let mut last = 0;
        for character in text {
            last = automaton.extend(last, *character);
        }
        automaton
    }

    fn extend(&mut self, last: usize, character: char) -> usize {
        let new = self.states.len();
        self.states.push(State { length: self.states[last].length + 1, link: Some(0), ..State::default() });
        let mut from = Some(last);
        while let Some(state) = from.filter(|state| !self.states[*state].next.contains_key(&character)) {
            self.states[state].next.insert(character, new);
            from = self.states[state].link;
        }
        let Some(state) = from else { return new };
        let target = self.states[state].next[&character];
        if self.states[target].length == self.states[state].length + 1 {
            self.states[new].link = Some(target);
            return new;
        }
        let copy = self.states.len();
        self.states.push(State { length: self.states[state].length + 1, ..self.states[target].clone() });
        let mut from = Some(state);
        while let Some(state) = from.filter(|state| self.states[*state].next.get(&character) == Some(&target)) {
            self.states[state].next.insert(character, copy);
            from = self.states[state].link;
        }
        self.states[target].link = Some(copy);
        self.states[new].link = Some(copy);
        new
    }

    /// For each character, how long the longest run is that ends with it and that the text contains.
    fn longest_suffixes(&self, text: &[char]) -> Vec<usize> {
        let (mut state, mut length) = (0, 0);
        text.iter()
            .map(|character| {
                while let Some(link) =
                    self.states[state].link.filter(|_| !self.states[state].next.contains_key(character))
                {
                    state = link;
                    length = self.states[state].length;
                }
                if let Some(next) = self.states[state].next.get(character) {
                    state = *next;
                    length += 1;
                }
                length
            })
            .collect()
    }
}
