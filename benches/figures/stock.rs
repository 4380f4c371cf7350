//! Homes with something in their store, written by the daemon's own writer before it starts.

use std::path::Path;

use futures_util::future::join_all;
use mosaic::app::App;
use mosaic::config::{Config, Env};
use mosaic::outside;
use mosaic_types::event::FinishedTurn;
use mosaic_types::journal::{API_CHANNEL, AcceptTurn, EndTurn, Entry, InboxKey, Outcome, TurnEnd, Write};
use mosaic_types::{AgentName, Epoch, Seq, SessionId, Spent, TurnId, Usage};

use crate::sessions;

/// Written without waiting for the answers: a part of what a writer's mailbox holds.
const AT_ONCE: usize = 1_000;

/// Opens the house over `home` and has `fill` write into it.
pub(crate) fn stocked<T>(home: &Path, fill: impl AsyncFnOnce(&App) -> T) -> T {
    let config = Config::load(None, home, &Env::default()).expect("good settings");
    actix::System::new().block_on(async {
        let app = App::start(&config, &Env::default(), outside::system()).await.expect("the house starts");
        let filled = fill(&app).await;
        app.stop().await;
        filled
    })
}

/// So many sessions, each with a turn that was begun and never ended.
pub(crate) async fn unfinished(app: &App, count: usize) {
    let ids = sessions::create(app, count).await;
    for some in ids.chunks(AT_ONCE) {
        join_all(some.iter().map(async |id| begin(app, id, claim(app, id).await, "hello").await)).await;
    }
}

/// A session of so many messages: questions and answers of 200 bytes by turns.
pub(crate) async fn talked(app: &App, messages: usize) -> SessionId {
    let id = sessions::create(app, 1).await.remove(0);
    let epoch = claim(app, &id).await;
    let text = "a hundred words say less than two ".repeat(6);
    let numbers: Vec<usize> = (0..messages / 2).collect();
    for some in numbers.chunks(AT_ONCE) {
        // In this order: the writer carries out what it is sent one after the other.
        join_all(some.iter().map(async |number| {
            // A turn has four events; the first is its input.
            let saw = Seq::try_from(4 * number + 1).expect("few events");
            let turn = app.doors.outside.turn_id();
            let (begun, ended) = tokio::join!(
                app.doors.commit(accept(app, &id, epoch, turn, &text)),
                app.doors.commit(end(app, &id, epoch, turn, saw, &text))
            );
            assert!(matches!(begun, Ok(Outcome::Written(_))), "{begun:?}");
            assert!(matches!(ended, Ok(Outcome::Written(_))), "{ended:?}");
        }))
        .await;
    }
    id
}

async fn claim(app: &App, id: &SessionId) -> Epoch {
    match app.doors.commit(Write::Claim { session: id.clone() }).await {
        Ok(Outcome::Claimed(epoch)) => epoch,
        other => panic!("a session that is there can be claimed: {other:?}"),
    }
}

async fn begin(app: &App, id: &SessionId, epoch: Epoch, text: &str) {
    let turn = app.doors.outside.turn_id();
    let begun = app.doors.commit(accept(app, id, epoch, turn, text)).await;
    assert!(matches!(begun, Ok(Outcome::Written(_))), "{begun:?}");
}

fn agent() -> AgentName {
    "assistant".parse().expect("a good name")
}

fn accept(app: &App, id: &SessionId, epoch: Epoch, turn: TurnId, text: &str) -> Write {
    Write::Accept(Box::new(AcceptTurn {
        session: id.clone(),
        epoch,
        turn,
        inbox: InboxKey {
            channel: API_CHANNEL.into(),
            account: "bench".into(),
            conversation: id.as_str().into(),
            event: turn.to_string().into(),
        },
        body_hash: [0; 32],
        text: text.into(),
        replaces: None,
        agent: agent(),
        model: None,
        entry: Entry::Starts,
        title: None,
        reply_to: None,
        at: app.doors.outside.now(),
    }))
}

fn end(app: &App, id: &SessionId, epoch: Epoch, turn: TurnId, saw: Seq, text: &str) -> Write {
    let said = FinishedTurn {
        text: text.to_owned(),
        model: "stand-in".into(),
        provider: "up".parse().expect("a good name"),
        route_reason: "first choice".into(),
        stop_reason: "stop".into(),
        usage: Usage::new(3, 5),
        cost_usd: None,
    };
    Write::End(Box::new(EndTurn {
        session: id.clone(),
        epoch,
        turn,
        agent: agent(),
        step: 1,
        saw,
        steps: vec![said.step()],
        end: TurnEnd::Finished(said),
        delivers: false,
        own: Spent { usage: Usage::new(3, 5), cost_usd: None },
        next: None,
        at: app.doors.outside.now(),
    }))
}
