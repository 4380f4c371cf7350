//! Homes with something in their store before their daemon starts.

use std::path::Path;
use std::sync::Arc;

use mosaic::app::App;
use mosaic::config::{Config, Env};
use mosaic::outside;
use mosaic_store::Store;
use mosaic_types::event::FinishedTurn;
use mosaic_types::journal::{API_CHANNEL, AcceptTurn, EndTurn, Entry, InboxKey, Outcome, TurnEnd, Write};
use mosaic_types::{AgentName, Epoch, Outside, Seq, SessionId, Spent, TurnId, Usage};

use crate::sessions;

/// Writes of one batch.
const AT_ONCE: usize = 1_000;

/// The store of a home that no daemon uses. What is left open in it stays so: a house would take it up at once.
pub(crate) struct Stock {
    store: Arc<dyn Store>,
    outside: Outside,
    ids: Vec<SessionId>,
}

impl Stock {
    /// Opens the store of `home`, with so many new sessions.
    pub(crate) async fn open(home: &Path, sessions: usize) -> Self {
        let config = Config::load(None, home, &Env::default()).expect("good settings");
        let app = App::start(&config, &Env::default(), outside::system()).await.expect("the house starts");
        let ids = sessions::create(&app, sessions).await;
        app.stop().await;
        let store = mosaic_store::open("sqlite://mosaic.db", home).await.expect("the home has a store");
        Self { store, outside: outside::system(), ids }
    }

    /// Gives each of the sessions a turn that was begun and never ended.
    pub(crate) async fn begin_all(&self) {
        for some in self.ids.chunks(AT_ONCE) {
            let claims = some.iter().map(|id| Write::Claim { session: id.clone() }).collect();
            let epochs = self.write(claims).await;
            let begun = some.iter().zip(epochs).map(|(id, outcome)| {
                let Outcome::Claimed(epoch) = outcome else { panic!("it can be claimed: {outcome:?}") };
                self.accept(id, epoch, self.outside.turn_id(), "hello")
            });
            all_written(&self.write(begun.collect()).await);
        }
    }

    /// Gives the next of the sessions so many messages: questions and answers of 200 bytes by turns.
    pub(crate) async fn talk(&mut self, messages: usize) -> SessionId {
        let id = self.ids.pop().expect("as many sessions as are wanted");
        let claimed = self.write(vec![Write::Claim { session: id.clone() }]).await;
        let [Outcome::Claimed(epoch)] = claimed[..] else { panic!("it can be claimed: {claimed:?}") };
        let text = "a hundred words say less than two ".repeat(6);
        let numbers: Vec<usize> = (0..messages / 2).collect();
        for some in numbers.chunks(AT_ONCE) {
            let writes = some.iter().flat_map(|number| {
                // A turn has four events; the first is its input.
                let saw = Seq::try_from(4 * number + 1).expect("few events");
                let turn = self.outside.turn_id();
                [self.accept(&id, epoch, turn, &text), self.end(&id, epoch, turn, saw, &text)]
            });
            all_written(&self.write(writes.collect()).await);
        }
        id
    }

    async fn write(&self, batch: Vec<Write>) -> Vec<Outcome> {
        let results = self.store.commit(batch).await.expect("it is written");
        results.into_iter().map(|result| result.expect("it is written")).collect()
    }
    fn accept(&self, id: &SessionId, epoch: Epoch, turn: TurnId, text: &str) -> Write {
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
            attachments: Arc::default(),
            replaces: None,
            agent: agent(),
            model: None,
            entry: Entry::Starts,
            route: None,
            title: None,
            reply_to: None,
            at: self.outside.now(),
        }))
    }

    fn end(&self, id: &SessionId, epoch: Epoch, turn: TurnId, saw: Seq, text: &str) -> Write {
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
            cuts_tools: false,
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
            calls: 1,
            beside: Vec::new(),
            next: None,
            at: self.outside.now(),
        }))
    }
}

fn agent() -> AgentName {
    "assistant".parse().expect("a good name")
}

fn all_written(outcomes: &[Outcome]) {
    let other = outcomes.iter().find(|outcome| !matches!(outcome, Outcome::Written(_)));
    assert!(other.is_none(), "{other:?}");
}
