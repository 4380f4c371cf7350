//! The shell: one owner of a platform's connection, and the outbox's way to it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use mosaic_messages::{Deliver, Reconcile};
use mosaic_supervise::{Mailbox, Tether, supervised};
use mosaic_types::Outside;
use mosaic_types::outbox::{Delivery, Finding};
use tokio::time::Instant;
use tracing::Instrument;

use crate::allow::Mark;
use crate::channel::{Channel, Cut, Hearing, Note};
use crate::config::ChannelConfig;
use crate::house::House;
use crate::pairs::Pairs;
use crate::reconnect::Reconnect;
use crate::status::Status;
use crate::talk::Talk;

/// Asks a channel to look at all that it takes to hear and to be heard, and to send a test message.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Vec<Note>")]
pub struct Check;

/// Something that a platform says by calling us. The answer says whether it may forget it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Hearing")]
pub struct Called(pub Vec<u8>);

/// Keeps the connection to one platform.
pub struct ChannelActor {
    channel: Rc<dyn Channel>,
    talk: Rc<Talk>,
    name: Arc<str>,
    outside: Outside,
    allow: Vec<Mark>,
    mention: bool,
    reconnect: Reconnect,
    _tether: Tether,
}

impl ChannelActor {
    /// The outbox has eight deliveries of one channel under way at the most, and asks for what was cut off beside them.
    pub const MAILBOX: Mailbox = Mailbox { capacity: 64, patience: Duration::from_secs(5) };

    /// A channel as its table says.
    pub fn new(config: &ChannelConfig, house: Arc<dyn House>, status: Status, pairs: Pairs, tether: Tether) -> Self {
        Self::over((config.kind.build)(config), config, house, status, pairs, tether)
    }

    /// A channel over this adapter.
    pub fn over(
        channel: Rc<dyn Channel>,
        config: &ChannelConfig,
        house: Arc<dyn House>,
        status: Status,
        pairs: Pairs,
        tether: Tether,
    ) -> Self {
        let outside = house.outside().clone();
        let talk = Rc::new(Talk::new(channel.clone(), house, status, pairs, config));
        let name = config.name.as_str().into();
        let (allow, mention) = (config.allow.clone(), config.mention);
        Self { channel, talk, name, outside, allow, mention, reconnect: Reconnect::default(), _tether: tether }
    }

    fn connect(&mut self, ctx: &mut Context<Self>) {
        self.reconnect.begins(Instant::now());
        let hearing = self.channel.hear(self.talk.clone());
        ctx.spawn(hearing.into_actor(self).map(|cut, actor, ctx| actor.cut(cut, ctx)));
    }

    fn cut(&mut self, cut: Cut, ctx: &mut Context<Self>) {
        let pause = self.reconnect.pause(&cut, Instant::now(), &self.outside);
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        // Once for each trouble, not for each try.
        if self.talk.status().trouble().as_ref() == Some(&cut.why) {
            tracing::debug!(channel.name = %self.name, pause_ms, why = cut.why, "still cut off");
        } else {
            tracing::warn!(channel.name = %self.name, pause_ms, why = cut.why, "cut off from the platform");
        }
        self.talk.status().cut(cut.why);
        ctx.run_later(pause, |actor, ctx| actor.connect(ctx));
    }
}

impl Actor for ChannelActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.connect(ctx);
    }
}
supervised!(ChannelActor);

impl Handler<Deliver> for ChannelActor {
    type Result = ResponseFuture<Delivery>;
    fn handle(&mut self, ask: Deliver, _: &mut Self::Context) -> Self::Result {
        let (channel, talk, span) = (self.channel.clone(), self.talk.clone(), ask.span);
        let work = async move {
            talk.hush(ask.item.turn, &ask.item.to.name).await;
            channel.deliver(ask.item, ask.calling).await
        };
        Box::pin(work.instrument(span))
    }
}

impl Handler<Reconcile> for ChannelActor {
    type Result = ResponseFuture<Finding>;
    fn handle(&mut self, ask: Reconcile, _: &mut Self::Context) -> Self::Result {
        let channel = self.channel.clone();
        Box::pin(async move { channel.reconcile(ask.item, ask.before).await }.instrument(ask.span))
    }
}

impl Handler<Check> for ChannelActor {
    type Result = ResponseFuture<Vec<Note>>;
    fn handle(&mut self, _: Check, _: &mut Self::Context) -> Self::Result {
        self.channel.check(self.allow.clone(), self.mention)
    }
}

impl Handler<Called> for ChannelActor {
    type Result = ResponseFuture<Hearing>;
    fn handle(&mut self, Called(body): Called, _: &mut Self::Context) -> Self::Result {
        self.channel.called(self.talk.clone(), body)
    }
}
