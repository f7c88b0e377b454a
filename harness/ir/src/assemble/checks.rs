//! `check` lines: bounds on times and orders of milestones.

use super::Assembler;
use crate::error::{Place, Problem, Span};
use crate::model::{Bound, Check, Dependency, Metric, StepId};
use crate::name::{excerpt, nearest};
use crate::store::NO_VERB;
use crate::time::parse_duration;
use crate::vocabulary::Role;

const METRICS: [(&str, Metric); 4] = [
    ("service", Metric::Service),
    ("response", Metric::Response),
    ("lag", Metric::Lag),
    ("fault", Metric::Fault),
];

impl Metric {
    /// As a `check` line writes it.
    pub fn name(self) -> &'static str {
        METRICS
            .iter()
            .find(|(_, metric)| *metric == self)
            .map_or("", |(name, _)| name)
    }
}

/// A quantile as it is written: `p99.9` is 999,000 of a million; `max` is a million.
#[derive(Debug, Clone, Copy)]
struct Quantile {
    millionths: u64,
}

impl Quantile {
    const WHOLE: u64 = 1_000_000;

    fn parse(word: &str) -> Option<Self> {
        if word == "max" {
            return Some(Quantile {
                millionths: Self::WHOLE,
            });
        }
        let number = word.strip_prefix('p')?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > 2 || fraction.len() > 4 {
            return None;
        }
        let scale = 10_u64.pow(4 - fraction.len() as u32);
        let millionths =
            whole.parse::<u64>().ok()? * 10_000 + fraction.parse::<u64>().ok()? * scale;
        (millionths > 0).then_some(Quantile { millionths })
    }

    /// How many samples it needs so that at least one lies above it.
    fn samples(self) -> u64 {
        match Self::WHOLE - self.millionths {
            0 => 1,
            above => Self::WHOLE.div_ceil(above),
        }
    }
}

/// The words of a check line with their places.
struct Words<'s> {
    rest: &'s str,
    /// Where `rest` begins in the line.
    at: usize,
    line: u32,
}

impl<'s> Words<'s> {
    fn next(&mut self) -> Option<(&'s str, Place)> {
        let trimmed = self.rest.trim_start();
        let start = self.at + self.rest.len() - trimmed.len();
        let end = trimmed.find(char::is_whitespace).unwrap_or(trimmed.len());
        if end == 0 {
            return None;
        }
        self.at = start + end;
        self.rest = &trimmed[end..];
        let span = Span::new(start, start + end);
        Some((
            &trimmed[..end],
            Place {
                line: self.line,
                span,
            },
        ))
    }
}

impl Assembler {
    pub(super) fn read_checks(&mut self) -> Vec<Check> {
        let mut checks = Vec::new();
        for (place, text) in std::mem::take(&mut self.checks) {
            let words = Words {
                rest: &text,
                at: place.span.start as usize,
                line: place.line,
            };
            checks.extend(self.read_check(place, words).ok());
        }
        checks
    }

    fn read_check(&mut self, whole: Place, mut words: Words<'_>) -> Result<Check, Reported> {
        let (first, place) = self.word(whole, &mut words, "a percentile, `max` or `order`")?;
        if first == "order" {
            return self.read_order(whole, words);
        }
        let Some(quantile) = Quantile::parse(first) else {
            return self.expected(place, "a percentile such as p99, `max` or `order`", first);
        };
        let quantile_word = first;
        let (name, verb_place) = self.word(whole, &mut words, "a verb or `all`")?;
        let verb = self.checked_verb(verb_place, name)?;
        let (mut word, mut word_place) = self.word(whole, &mut words, "`<` and a bound")?;
        let mut metric = Metric::Service;
        if word != "<" {
            let Some(&(_, named)) = METRICS.iter().find(|(name, _)| *name == word) else {
                self.sink.push(word_place, || Problem::Unknown {
                    what: "time",
                    name: excerpt(word),
                    like: nearest(word, METRICS.iter().map(|&(name, _)| name)),
                });
                return Err(Reported);
            };
            metric = named;
            (word, word_place) = self.word(whole, &mut words, "`<` and a bound")?;
            if word != "<" {
                return self.expected(word_place, "`<`", word);
            }
        }
        let bound = self.read_bound(whole, &mut words)?;
        if let Some((word, place)) = words.next() {
            return self.expected(place, "the end of the line", word);
        }
        self.enough_samples(place, quantile_word, quantile, verb)?;
        Ok(Check::Time {
            quantile: quantile.millionths as f64 / Quantile::WHOLE as f64,
            verb,
            metric,
            bound,
            line: whole.line,
        })
    }

    fn checked_verb(&mut self, place: Place, name: &str) -> Result<Option<&'static str>, Reported> {
        if name == "all" {
            return Ok(None);
        }
        let verbs = self.vocabulary.verbs;
        let Some((_, verb)) = self.verbs.find(self.vocabulary, name) else {
            self.sink.push(place, || Problem::Unknown {
                what: "verb",
                name: excerpt(name),
                like: nearest(name, verbs.iter().map(|verb| verb.name).chain(["all"])),
            });
            return Err(Reported);
        };
        if matches!(verb.role, Role::NoBreak | Role::OnBreak | Role::Pause) {
            self.sink.push(place, || Problem::NotTimed(name.to_owned()));
            return Err(Reported);
        }
        Ok(Some(verb.name))
    }

    fn read_bound(&mut self, whole: Place, words: &mut Words<'_>) -> Result<Bound, Reported> {
        const WANTED: &str = "a bound such as 20ms or `3x rtt`";
        let (word, place) = self.word(whole, words, WANTED)?;
        if let Some(bound) = parse_duration(word) {
            return Ok(Bound::Absolute(bound));
        }
        let times = word.strip_suffix('x').filter(|times| {
            times
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
        });
        let times = times.and_then(|times| times.parse::<f64>().ok());
        let Some(times) = times.filter(|times| times.is_finite() && *times > 0.0) else {
            return self.expected(place, WANTED, word);
        };
        match self.word(whole, words, "`rtt`")? {
            ("rtt", _) => Ok(Bound::RoundTrips(times)),
            (other, place) => self.expected(place, "`rtt`", other),
        }
    }

    /// A percentile of fewer steps than it has parts would be the largest or smallest of them.
    fn enough_samples(
        &mut self,
        place: Place,
        word: &str,
        quantile: Quantile,
        verb: Option<&'static str>,
    ) -> Result<(), Reported> {
        let verbs = self.vocabulary.verbs;
        let counts = |index: u16| {
            verbs
                .get(usize::from(index))
                .is_some_and(|spec| match verb {
                    Some(name) => spec.name == name,
                    None => spec.role == Role::Operation,
                })
        };
        let counted = verbs
            .iter()
            .enumerate()
            .map(|(index, _)| counts(index as u16));
        let counted: Vec<bool> = counted.collect();
        let records = &self.store.records;
        let counts = |verb: u16| verb != NO_VERB && counted[usize::from(verb)];
        let have = records.iter().filter(|record| counts(record.verb)).count() as u64;
        let need = quantile.samples();
        if have >= need {
            return Ok(());
        }
        let quantile = word.to_owned();
        self.sink.push(place, || Problem::TooFewSamples {
            quantile,
            need,
            have,
        });
        Err(Reported)
    }

    fn read_order(&mut self, whole: Place, mut words: Words<'_>) -> Result<Check, Reported> {
        let mut milestones = Vec::new();
        let mut bad = false;
        loop {
            let (word, place) = self.word(whole, &mut words, "a label or the number of a step")?;
            match self.ordered(place, word) {
                Ok(milestone) => milestones.push(milestone),
                Err(Reported) => bad = true,
            }
            match words.next() {
                Some(("<", _)) => {}
                Some((other, place)) => return self.expected(place, "`<`", other),
                None => break,
            }
        }
        if !bad && milestones.len() < 2 {
            return self.expected(whole, "`<` and another step", "the end of the line");
        }
        if bad {
            Err(Reported)
        } else {
            Ok(Check::Order {
                milestones,
                line: whole.line,
            })
        }
    }

    /// `LABEL[.milestone]` or `NUMBER[.milestone]`.
    fn ordered(&mut self, place: Place, word: &str) -> Result<Dependency, Reported> {
        let (step, suffix) = word.split_once('.').unwrap_or((word, "done"));
        let number = step.parse::<u64>().ok().filter(|_| !step.starts_with('+'));
        let (step, milestone) = match number {
            Some(number) => {
                let placeholder = format!("step.{suffix}");
                let (_, milestone) = self.milestone(place, &placeholder).ok_or(Reported)?;
                let index = number
                    .checked_sub(1)
                    .filter(|&i| i < self.store.records.len() as u64);
                let Some(index) = index else {
                    self.sink.push(place, || Problem::UnknownStep(number));
                    return Err(Reported);
                };
                (StepId(index as u32), milestone)
            }
            None => {
                let (label, milestone) = self.milestone(place, word).ok_or(Reported)?;
                let Some(label) = self.interner.intern(&mut self.store.symbols, label) else {
                    return Err(Reported);
                };
                (self.resolve(place, label).ok_or(Reported)?, milestone)
            }
        };
        if self.store.record(step).verb != NO_VERB {
            self.check_milestone(place, step, milestone);
        }
        Ok(Dependency { step, milestone })
    }

    fn word<'s>(
        &mut self,
        whole: Place,
        words: &mut Words<'s>,
        wanted: &str,
    ) -> Result<(&'s str, Place), Reported> {
        match words.next() {
            Some(found) => Ok(found),
            None => self.expected(whole, wanted, "the end of the line"),
        }
    }

    fn expected<T>(&mut self, place: Place, wanted: &str, found: &str) -> Result<T, Reported> {
        let found = match found {
            "the end of the line" => found.to_owned(),
            _ => format!("`{}`", excerpt(found)),
        };
        self.sink.push(place, || Problem::Expected {
            expected: wanted.to_owned(),
            found,
        });
        Err(Reported)
    }
}

/// The problem is in the sink.
#[derive(Debug)]
struct Reported;
