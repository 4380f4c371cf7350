//! What a call costs, however it ends.

use std::time::Duration;

use mosaic_messages::CallResult;
use mosaic_types::{Code, ModelRef, Spent, Usage};
use tokio::time::Instant;

use super::books::{Books, Place};
use super::lanes::Voice;
use super::prompt;
use crate::budget::Reservation;
use crate::provider::ProviderHandle;
use crate::recent::Call;

/// `None` where the price or what was used is not known.
pub(super) fn price(price: Option<mosaic_types::Price>, usage: Option<Usage>) -> Option<f64> {
    Some(price?.of(usage?))
}

/// How far a call came, as far as that costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Waiting,
    /// The provider has it, or may have.
    Sent,
    /// It has begun to answer.
    Begun,
    /// It said what was used.
    Answered,
}

/// Tells the provider's actor how a call went, and pays for one that came to nothing: also when the run is dropped in
/// the middle of it.
pub(super) struct Bill<'a> {
    pub(super) provider: &'a ProviderHandle,
    pub(super) model: &'a ModelRef,
    pub(super) books: &'a Books,
    pub(super) place: Place,
    pub(super) voice: Voice<'a>,
    pub(super) result: CallResult,
    /// Why it failed.
    pub(super) cause: Option<Code>,
    pub(super) since: Instant,
    pub(super) progress: Progress,
    /// When it was sent, and how long after that the first piece came.
    pub(super) sent: Option<Instant>,
    pub(super) first: Option<Duration>,
    pub(super) input_tokens: u64,
    pub(super) heard_bytes: usize,
    /// What its provider says that it used, where it says so and the answer is no good all the same.
    pub(super) said: Option<Usage>,
    /// Tokens that the call might have used, and those that it did.
    pub(super) foreseen: u64,
    pub(super) used: u64,
    /// What an answer cost.
    pub(super) cost_usd: Option<f64>,
    pub(super) reservation: Option<Reservation>,
    /// The answer is bounded by what is left of a budget.
    pub(super) short: bool,
}

impl<'a> Bill<'a> {
    pub(super) fn open(
        provider: &'a ProviderHandle,
        model: &'a ModelRef,
        books: &'a Books,
        place: Place,
        voice: Voice<'a>,
    ) -> Self {
        let (since, progress) = (Instant::now(), Progress::Waiting);
        let result = CallResult::Abandoned;
        Self {
            provider,
            model,
            books,
            place,
            voice,
            result,
            cause: None,
            since,
            progress,
            sent: None,
            first: None,
            input_tokens: 0,
            heard_bytes: 0,
            said: None,
            foreseen: 0,
            used: 0,
            cost_usd: None,
            reservation: None,
            short: false,
        }
    }

    /// What a call used of which its provider does not say so: by what was sent and heard.
    pub(super) fn reckoned(&self) -> Usage {
        Usage::new(self.input_tokens, prompt::tokens_of(self.heard_bytes))
    }

    /// The answer came to its bound: says whose that was, where a budget set it.
    pub(super) fn cut_short(&self) {
        if let Some(notice) = self.reservation.as_ref().filter(|_| self.short).and_then(Reservation::cut_short) {
            self.voice.notice(&notice);
        }
    }

    /// What a call used that was not answered, reckoned by what was sent and heard. One that was refused, or never
    /// reached its provider, used nothing; one that fell silent may have used all that was sent.
    fn lost(&self) -> Spent {
        let used = match (self.progress, self.cause) {
            (Progress::Waiting | Progress::Answered, _) => false,
            (Progress::Sent, Some(code)) => matches!(code, Code::ProviderStalled | Code::ProviderBadAnswer),
            (Progress::Sent, None) | (Progress::Begun, _) => true,
        };
        if !used {
            return Spent::default();
        }
        let usage = self.said.unwrap_or_else(|| self.reckoned());
        Spent { usage, cost_usd: price(self.provider.facts(&self.model.model).price, Some(usage)) }
    }
}

impl Drop for Bill<'_> {
    fn drop(&mut self) {
        self.provider.meter.ended(self.result, self.since.elapsed());
        let lost = if self.result == CallResult::Answered { Spent::default() } else { self.lost() };
        let used = self.used.saturating_add(lost.usage.input_tokens).saturating_add(lost.usage.output_tokens);
        self.provider.report(self.model.model.clone(), self.result, self.foreseen, used);
        let at = self.books.now();
        if let (Some(sent), CallResult::Answered | CallResult::Failed(_)) = (self.sent, self.result) {
            let failed = self.result != CallResult::Answered;
            self.provider.calls.add(Call { at, failed, first: self.first, whole: sent.elapsed() });
        }
        if self.progress == Progress::Answered {
            self.provider.calls.spent(at, self.cost_usd);
        } else if lost != Spent::default() {
            self.provider.calls.spent(at, lost.cost_usd);
        }
        if let Some(reservation) = self.reservation.take() {
            let answered = self.result == CallResult::Answered || self.progress == Progress::Answered;
            let cost = if answered { self.cost_usd } else { lost.cost_usd };
            for notice in reservation.settle(cost.unwrap_or_default()) {
                self.voice.notice(&notice);
            }
        }
        if self.result != CallResult::Answered {
            if lost != Spent::default() {
                self.provider.meter.used(lost.usage, lost.cost_usd);
            }
            self.books.pay(self.place, self.model, lost);
            if let Some(lane) = self.voice.lane() {
                lane.lost.set(lost);
            }
        }
    }
}
