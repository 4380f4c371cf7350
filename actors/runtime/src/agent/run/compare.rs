//! All models are asked; each answer is shown whole, under its name, with its time and its price, in the order of the
//! config.

use mosaic_types::event::Part;
use mosaic_types::{ChatEvent, Code, Failure, FinishedTurn, ModelRef, Spent, StopReason};

use super::call::Ask;
use super::course::follow;
use super::lanes::{Lane, Lanes, Voice};
use super::plan::Plan;

/// What stands above an answer.
pub(super) fn heading(first: bool, model: &ModelRef) -> String {
    format!("{}### {model}\n\n", if first { "" } else { "\n\n" })
}

/// What stands below it.
pub(super) fn footing(part: &Part) -> String {
    let seconds = std::time::Duration::from_millis(part.ms).as_secs_f64();
    match part.cost_usd {
        Some(cost) => format!("\n\n_{seconds:.1} s · {}_", mosaic_types::ledger::dollars(cost)),
        None => format!("\n\n_{seconds:.1} s_"),
    }
}

/// What stands in place of an answer that did not come.
pub(super) fn excuse(failure: &Failure) -> String {
    format!("No answer ({}): {}", failure.code.as_str(), failure.message)
}

/// How one of the models did.
pub(super) enum Outcome {
    Answered(ModelRef, Part),
    Failed(Failure),
}

/// What was shown of a comparison so far.
struct Page<'a> {
    ask: Ask<'a>,
    text: String,
}

impl Page<'_> {
    /// `None`: nobody listens any more.
    async fn say(&mut self, text: String) -> Option<()> {
        self.text.push_str(&text);
        self.ask.order.sink.event(ChatEvent::Text(text)).await.ok()
    }
}

pub(super) async fn run(ask: Ask<'_>, models: Vec<ModelRef>) -> Option<Result<FinishedTurn, Failure>> {
    let sink = &ask.order.sink;
    let tracks: Vec<_> = models.iter().enumerate().map(|(index, model)| Lane::new(index + 1, model, false)).collect();
    let mut lanes = Lanes::new();
    let mut outcomes: Vec<Option<Outcome>> = Vec::new();
    sink.begin();
    for (index, model) in models.iter().enumerate() {
        let known = ask.books.known(tracks[index].number, model).map(|(model, part)| Outcome::Answered(model, part));
        if known.is_none() {
            lanes.add(index, one(ask, &tracks[index], model));
        }
        outcomes.push(known);
    }
    let mut page = Page { ask, text: String::new() };
    let (mut at, mut headed, mut begun) = (0, false, false);
    loop {
        // Shows all that can be shown now.
        while at < models.len() {
            let lane = &tracks[at];
            let name = match &outcomes[at] {
                Some(Outcome::Answered(model, _)) => model.clone(),
                _ => lane.model(),
            };
            if !headed && (outcomes[at].is_some() || lane.speaks()) {
                if !std::mem::replace(&mut begun, true) {
                    sink.answering(&name).await.ok()?;
                }
                page.say(heading(at == 0, &name)).await?;
                headed = true;
                if let (Some(Outcome::Answered(_, Part { text: Some(text), .. })), false) =
                    (&outcomes[at], lane.speaks())
                {
                    page.say(text.clone()).await?;
                }
            }
            while let Some(event) = lane.next() {
                match event {
                    ChatEvent::Text(text) => page.say(text).await?,
                    ChatEvent::Thinking(_) => sink.event(event).await.ok()?,
                    ChatEvent::ToolCall { .. } | ChatEvent::Finished { .. } => {}
                }
            }
            match &outcomes[at] {
                None => break,
                Some(Outcome::Answered(_, part)) => page.say(footing(part)).await?,
                Some(Outcome::Failed(failure)) => page.say(excuse(failure)).await?,
            }
            (at, headed) = (at + 1, false);
        }
        if lanes.is_empty() {
            break;
        }
        if let Some((index, outcome)) = lanes.go_on(|| tracks.get(at).is_some_and(Lane::has_news)).await {
            outcomes[index] = Some(outcome?);
        }
    }
    let text = page.text;
    finish(ask, &models, outcomes.into_iter().flatten().collect(), text).await
}

/// One of several models, as stubborn as if it were the only one; what it says is stored as soon as it is known.
pub(super) async fn one(ask: Ask<'_>, lane: &Lane, model: &ModelRef) -> Option<Outcome> {
    lane.begin();
    let mut plan = Plan::new(vec![model.clone()]);
    let answered = follow(ask, &mut plan, Voice::Lane(lane, &ask.order.sink)).await?;
    Some(match answered {
        Ok(answer) => {
            let part = lane.part(answer.spent, false, Some(answer.text), None);
            ask.books.keep_part(answer.place, &answer.model, part.clone());
            Outcome::Answered(answer.model, part)
        }
        Err(failure) => {
            ask.books.note_part(&lane.model(), lane.lost(failure.code));
            Outcome::Failed(failure)
        }
    })
}

async fn finish(
    ask: Ask<'_>,
    models: &[ModelRef],
    outcomes: Vec<Outcome>,
    text: String,
) -> Option<Result<FinishedTurn, Failure>> {
    let mut spent = Spent::default();
    let (mut first, mut failed, mut answered) = (None, None, 0);
    for outcome in outcomes {
        match outcome {
            Outcome::Answered(model, part) => {
                answered += 1;
                spent = spent.and(part.spent());
                first.get_or_insert(model);
            }
            Outcome::Failed(failure) => drop(failed.get_or_insert(failure)),
        }
    }
    let Some(model) = first else {
        let nobody = || Failure::new(Code::Internal, "No model was asked. This is a mistake of Mosaic's.");
        return Some(Err(failed.unwrap_or_else(nobody)));
    };
    let end = ChatEvent::Finished { stop_reason: StopReason::Stop, usage: Some(spent.usage), model: None };
    ask.order.sink.event(end).await.ok()?;
    Some(Ok(FinishedTurn {
        text,
        model: model.model.to_string(),
        provider: model.provider,
        route_reason: format!("compared: {answered} of {} answered", models.len()),
        stop_reason: StopReason::Stop.as_str().to_owned(),
        // Each answer has an entry of its own in the ledger.
        usage: mosaic_types::Usage::default(),
        cost_usd: Some(0.0),
    }))
}
