//! What a text asks for, seen by its words and its shape. No model is asked.

use std::borrow::Cow;

use mosaic_types::routing::{Language, Task};

use super::cues::{self, Cue};
use super::language;

/// Bytes that are looked at from the beginning of a text, and as many from its end: an instruction stands at one of
/// them, and the work does not grow with what is pasted between.
const SAMPLE_BYTES: usize = 4 * 1024;

/// Words from the beginning and from the end that are taken for the instruction.
const INSTRUCTION_WORDS: usize = 20;

/// Words at the very beginning: what stands there and means one task for sure counts twice.
const FIRST_WORDS: usize = 6;

/// Points that make a task of a text.
const ENOUGH: u32 = 4;

/// What is known of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Classified {
    pub task: Task,
    /// How sure that is, of 100.
    pub confidence: u8,
    /// What it was seen by, the strongest first.
    pub cues: Vec<Cow<'static, str>>,
}

/// Says what a text asks for. The same text is always the same; it asks nobody and takes its microseconds.
pub trait Classifier: Send + Sync {
    /// The task of `text`.
    fn task(&self, text: &str) -> Classified;

    /// The language of `text`, where it shows.
    fn language(&self, text: &str) -> Option<Language>;
}

/// The one that is built in: cues in seven languages, each worth some points.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cues;

impl Classifier for Cues {
    fn task(&self, text: &str) -> Classified {
        let sample = sample(text);
        let lower = sample.to_lowercase();
        let words: Vec<&str> = words(&lower).collect();
        let mut found = cues::shapes(&sample);
        let is_code = found.iter().any(|cue| cue.task == Task::Code);
        for at in 0..words.len() {
            let instructs = at < INSTRUCTION_WORDS || at + INSTRUCTION_WORDS >= words.len();
            if let Some(cue) = cues::phrase(&words[at..]).filter(|_| instructs)
                && !found.iter().any(|known| known.is_like(&cue))
            {
                found.push(if at < FIRST_WORDS && u32::from(cue.points) >= ENOUGH { cue.twice() } else { cue });
            }
        }
        if !is_code {
            found.extend(cues::formula(&sample));
        }
        strongest(&found).unwrap_or_else(|| rest(&sample, &words))
    }

    fn language(&self, text: &str) -> Option<Language> {
        let lower = sample(text).to_lowercase();
        language::of(&lower, words(&lower))
    }
}

/// The beginning and the end of a text.
fn sample(text: &str) -> Cow<'_, str> {
    if text.len() <= 2 * SAMPLE_BYTES {
        return text.into();
    }
    let head = &text[..text.floor_char_boundary(SAMPLE_BYTES)];
    let tail = &text[text.ceil_char_boundary(text.len() - SAMPLE_BYTES)..];
    format!("{head}\n{tail}").into()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// The task with the most points, where it has enough.
fn strongest(found: &[Cue]) -> Option<Classified> {
    let points = |task: Task| found.iter().filter(|cue| cue.task == task).map(|cue| u32::from(cue.points)).sum::<u32>();
    let mut all: Vec<(Task, u32)> = Task::NAMED.iter().map(|(_, task)| (*task, points(*task))).collect();
    // Stable: of two that are alike, the one that is named first.
    all.sort_by_key(|(_, points)| std::cmp::Reverse(*points));
    let ((task, most), (_, next)) = (*all.first()?, *all.get(1)?);
    if most < ENOUGH {
        return None;
    }
    let mut cues: Vec<&Cue> = found.iter().filter(|cue| cue.task == task).collect();
    cues.sort_by_key(|cue| std::cmp::Reverse(cue.points));
    let confidence = u8::try_from(most * 100 / (most + next)).unwrap_or(100).min(99);
    Some(Classified { task, confidence, cues: cues.into_iter().take(3).map(Cue::told).collect() })
}

/// A text that asks for nothing in particular.
fn rest(sample: &str, words: &[&str]) -> Classified {
    let (task, confidence, cue) = if sample.trim_end().ends_with(['?', '？', '؟']) {
        (Task::Question, 80, "a question mark at its end")
    } else if words.first().is_some_and(|first| cues::asks(first)) {
        (Task::Question, 65, "a question word at its beginning")
    } else {
        (Task::Chat, 50, "nothing in particular")
    };
    Classified { task, confidence, cues: vec![cue.into()] }
}
