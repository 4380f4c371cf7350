//! Several models are asked, each with a head start before the next; the first to speak is heard, the others are cut off.

use mosaic_types::{Classify, Code, ErrorClass, Failure, FinishedTurn, ModelRef};
use tokio::time::{Duration, Instant, sleep_until};

use super::call::{self, Answer, Ask, CallFailure};
use super::course::{Ended, log, roll};
use super::lanes::{Lane, Lanes, Voice};
use super::plan::{FIRST_CHOICE, Next, Plan, why};

/// What to do after a call that failed, or when a head start is over.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Move {
    /// Ask the model of this index, after a pause.
    Ask { index: usize, after: Duration },
    /// Others run still.
    Wait,
    /// The failure stands.
    GiveUp,
}

/// Which of the models were asked, and who is next. Decides; asks nobody.
#[derive(Debug)]
pub(super) struct Race {
    models: Vec<ModelRef>,
    width: usize,
    /// Models that were asked: the first so many.
    asked: usize,
    running: usize,
    /// Of the last model that is left, once all others have failed.
    last: Option<Plan>,
    why: Vec<String>,
}

impl Race {
    pub(super) fn new(models: Vec<ModelRef>, width: usize) -> Self {
        Self { models, width: width.max(1), asked: 0, running: 0, last: None, why: Vec::new() }
    }

    /// The next model to be asked because those before it said nothing yet; `None`: enough are asked.
    pub(super) fn next(&mut self) -> Option<usize> {
        if self.running >= self.width || self.asked >= self.models.len() {
            return None;
        }
        (self.asked, self.running) = (self.asked + 1, self.running + 1);
        Some(self.asked - 1)
    }

    /// Whether there is one to be asked when the head start is over.
    pub(super) fn has_next(&self) -> bool {
        self.running < self.width && self.asked < self.models.len()
    }

    /// Decides after a failure of the model at `index`; `shown`: part of its answer was seen already.
    pub(super) fn failed(&mut self, index: usize, class: ErrorClass, cause: Code, shown: bool, roll: f64) -> Move {
        self.running = self.running.saturating_sub(1);
        self.why.push(why(&self.models[index], cause));
        if shown {
            return Move::GiveUp;
        }
        // What overflows one model may fit the next; any other wrong request is wrong everywhere.
        let wrong = class == ErrorClass::Invalid && cause != Code::ContextOverflow;
        if !wrong && let Some(index) = self.next() {
            return Move::Ask { index, after: Duration::ZERO };
        }
        if self.running > 0 {
            return Move::Wait;
        }
        let last = self.last.get_or_insert_with(|| Plan::new(vec![self.models[index].clone()]));
        match last.failed(class, cause, false, roll) {
            Next::Again { after } => {
                self.running += 1;
                Move::Ask { index, after }
            }
            Next::Switch | Next::GiveUp => Move::GiveUp,
        }
    }

    /// Why the model at `index` is heard, in words.
    pub(super) fn reason(&self, index: usize, answered: &ModelRef) -> String {
        let others: Vec<_> =
            self.models[..self.asked].iter().enumerate().filter(|(other, _)| *other != index).collect();
        match others.as_slice() {
            _ if !self.why.is_empty() => FinishedTurn::instead(&self.why, answered),
            [] => FIRST_CHOICE.to_owned(),
            others => {
                let names: Vec<_> = others.iter().map(|(_, model)| model.to_string()).collect();
                format!("faster than {}", names.join(" and "))
            }
        }
    }
}

pub(super) async fn run(ask: Ask<'_>, models: Vec<ModelRef>) -> Option<Result<Ended, Failure>> {
    let fanout = &ask.profile.fanout;
    let sink = &ask.order.sink;
    let tracks: Vec<_> = models.iter().enumerate().map(|(index, model)| Lane::new(index + 1, model, false)).collect();
    let mut race = Race::new(models.clone(), fanout.race_width);
    let mut lanes = Lanes::new();
    let call = |index: usize, after: Duration| {
        let (lane, model) = (&tracks[index], &models[index]);
        async move {
            // A sleep of nothing takes up to a millisecond.
            if !after.is_zero() {
                tokio::time::sleep(after).await;
            }
            lane.begin();
            call::call(ask, model, Voice::Lane(lane, sink)).await
        }
    };
    sink.begin();
    let mut winner: Option<usize> = None;
    while let Some(index) = race.next() {
        lanes.add(index, call(index, Duration::ZERO));
        if !fanout.race_after.is_zero() {
            break;
        }
    }
    let mut head_start = Instant::now() + fanout.race_after;
    loop {
        let news = || match winner {
            Some(index) => tracks[index].has_news(),
            None => tracks.iter().any(Lane::speaks),
        };
        let ended = tokio::select! {
            biased;
            ended = lanes.go_on(news), if !lanes.is_empty() => ended,
            () = sleep_until(head_start), if winner.is_none() && race.has_next() => {
                if let Some(index) = race.next() {
                    lanes.add(index, call(index, Duration::ZERO));
                }
                head_start += fanout.race_after;
                continue;
            }
        };
        if winner.is_none()
            && let Some(first) = tracks.iter().position(Lane::speaks)
        {
            winner = Some(first);
            for loser in lanes.keep_only(first) {
                ask.books.note_part(&tracks[loser].model(), tracks[loser].lost(Code::Cancelled));
            }
            if sink.answering(&tracks[first].model()).await.is_err() {
                return None;
            }
        }
        if let Some(index) = winner {
            while let Some(event) = tracks[index].next() {
                if sink.event(event).await.is_err() {
                    return None;
                }
            }
        }
        match ended {
            None => {}
            Some((index, Ok(answer))) => {
                let reason = race.reason(index, &answer.model);
                return Some(Ok(won(ask, answer, reason)));
            }
            Some((index, Err(failed))) => {
                if let CallFailure::Left = failed {
                    return None;
                }
                let (failure, _) = failed.told()?;
                let shown = winner == Some(index);
                let next = race.failed(index, failure.class(), failure.code, shown, roll(ask));
                log(&models[index], &failure, &next);
                match next {
                    Move::Ask { index: next, after } => {
                        if next != index {
                            ask.books.note_part(&tracks[index].model(), tracks[index].lost(failure.code));
                        }
                        lanes.add(next, call(next, after));
                        head_start = Instant::now() + fanout.race_after;
                    }
                    Move::Wait => ask.books.note_part(&tracks[index].model(), tracks[index].lost(failure.code)),
                    Move::GiveUp => return Some(Err(failure)),
                }
            }
        }
    }
}

fn won(ask: Ask<'_>, answer: Answer, reason: String) -> Ended {
    ask.books.pay_answer(answer.place, &answer.model, answer.spent);
    answer.into_ended(reason)
}
