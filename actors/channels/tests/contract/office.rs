//! A channel in its tree, the house behind it, and an outbox of one item at a time before it.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use mosaic_channels::{ChannelActor, ChannelConfig, Pairs, Status};
use mosaic_messages::channel::Calling;
use mosaic_messages::{Deliver, Receive, Reconcile};
use mosaic_supervise::{Budget, ChildSpec, Link, LinkError, Parent, Restart, Scope, Supervisor};
use mosaic_types::outbox::{Content, Delivery, Finding, Item, Shown};
use mosaic_types::settings::Settings;
use mosaic_types::{Secret, Timestamp};
use tokio::time::{sleep, timeout};

use crate::desk::Desk;
use crate::stand::Stand;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Sent,
    Unknown,
    Dead,
}

pub(crate) struct Office<S> {
    pub(crate) stand: S,
    pub(crate) desk: Desk,
    pub(crate) link: Link<ChannelActor>,
    items: Cell<i64>,
    _root: Parent,
}

/// An outbox that takes every note.
#[derive(Debug)]
struct Noted;

impl Calling for Noted {
    fn note(self: Arc<Self>) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        Box::pin(std::future::ready(true))
    }
}

impl<S: Stand> Office<S> {
    pub(crate) fn open() -> Self {
        let (stand, desk) = (S::start(), Desk::default());
        let table = format!("{}token_env = \"TOKEN\"\nnames = false\n", stand.table());
        let settings = Settings::parse(&table, "config.toml").expect("valid TOML");
        let token = stand.token().to_owned();
        let config = ChannelConfig::read("house", &settings.root(), &|_| Ok(Secret::new(token.clone())));
        let config = config.expect("a channel");
        settings.finish().map_err(|mistakes| mistakes.to_string()).expect("a good table");
        let root = Supervisor::start_root("root", Scope::Each(Budget::default()), 7, |why| panic!("{why}"));
        let (house, status, pairs) = (Arc::new(desk.clone()), Status::default(), Pairs::default());
        let spec = ChildSpec::new("house", Restart::Permanent, ChannelActor::MAILBOX, move |birth| {
            ChannelActor::new(&config, house.clone(), status.clone(), pairs.clone(), birth.tether)
        });
        Self { stand, desk, link: root.adopt(spec), items: Cell::new(0), _root: root }
    }

    /// Waits until there is something to see.
    pub(crate) async fn until<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let (mut told, mut shown) = (self.desk.changes(), self.stand.changes());
        let looking = async {
            loop {
                told.mark_unchanged();
                shown.mark_unchanged();
                if let Some(seen) = look(self) {
                    return seen;
                }
                let changed = tokio::select! {
                    changed = told.changed() => changed,
                    changed = shown.changed() => changed,
                };
                changed.expect("both live as long as the office");
            }
        };
        timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("in vain: {what}"))
    }

    /// Waits until so many inputs were taken in, and answers the last.
    pub(crate) async fn input(&self, count: usize) -> Receive {
        let found = |office: &Self| office.desk.inputs().get(count - 1).cloned();
        self.until(&format!("{count} inputs are taken in"), found).await
    }

    /// What a turn leaves in the outbox for whoever said this.
    pub(crate) fn item(&self, said: &Receive, content: Content) -> Item {
        self.items.set(self.items.get() + 1);
        Item {
            id: self.items.get(),
            session: "s".parse().expect("valid"),
            turn: said.turn,
            to: said.conversation.clone(),
            reply_to: said.reply_to.clone(),
            content,
            preview: None,
            part: 0,
            shown: 0,
            attempt: 1,
            holder: None,
            called: true,
            created_at: Timestamp(0),
        }
    }

    pub(crate) fn answer(&self, said: &Receive, text: impl Into<String>) -> Item {
        let agent = "assistant".parse().expect("valid");
        self.item(said, Content::Answer { text: text.into(), agent })
    }

    pub(crate) async fn deliver(&self, item: &Item) -> Result<Delivery, LinkError> {
        self.link
            .ask(Deliver { item: Arc::new(item.clone()), calling: Arc::new(Noted), span: tracing::Span::none() })
            .await
    }

    /// Carries an item to its end, as the outbox does.
    pub(crate) async fn carry(&self, mut item: Item) -> Ending {
        let again = Duration::from_millis(200);
        loop {
            let delivery = self.deliver(&item).await.expect("the channel answers");
            let shown = match delivery {
                Delivery::Done(shown) => shown,
                Delivery::Refused { .. } => return Ending::Dead,
                Delivery::Later { after, .. } => {
                    sleep(after.unwrap_or(again)).await;
                    continue;
                }
                Delivery::NotKnown => {
                    let ask =
                        Reconcile { item: Arc::new(item.clone()), before: Vec::new(), span: tracing::Span::none() };
                    match self.link.ask(ask).await.expect("the channel answers") {
                        Finding::Done(shown) => shown,
                        Finding::CannotSay => return Ending::Unknown,
                        Finding::Repeat => continue,
                        Finding::Later { after } => {
                            sleep(after.unwrap_or(again)).await;
                            continue;
                        }
                    }
                }
            };
            match shown {
                Shown { up_to: None, .. } => return Ending::Sent,
                Shown { up_to: Some(shown), .. } => (item.part, item.shown) = (item.part + 1, shown),
            }
        }
    }
}
