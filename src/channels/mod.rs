//! The channels of a running house: their actors in the tree, the outbox's ways to them, and how each is.

mod house;

use std::sync::Arc;

use mosaic_channels::allow::Mark;
use mosaic_channels::{ChannelActor, ChannelConfig, Pairs, Status};
use mosaic_runtime::{Doors, RouterActor};
use mosaic_supervise::{ChildSpec, Link, Parent, Restart};
use mosaic_types::AgentName;
use mosaic_types::pairing::PairingRow;

use crate::owner::HomeOwner;
use house::Floor;

/// A channel that was configured.
pub struct Channel {
    pub name: Arc<str>,
    /// Ours, to which people write.
    pub account: Arc<str>,
    /// As in `kind = "telegram"`.
    pub kind: &'static str,
    /// Who answers in new conversations; `None`: the default agent.
    pub agent: Option<AgentName>,
    pub status: Status,
    /// Who is let in beside the list of its table.
    pub pairs: Pairs,
    /// The list of its table.
    allow: Arc<[Mark]>,
    pub link: Link<ChannelActor>,
    /// By what the platform is known where it calls us: a header, and what stands there.
    pub hook: Option<(&'static str, String)>,
}

impl Channel {
    /// Whether the list of that channel names somebody.
    pub(crate) fn names(&self, channel: &str, sender: &str) -> bool {
        *self.name == *channel && self.allow.contains(&Mark::User(sender.to_owned()))
    }
}

/// Starts an actor for each channel under `family`, and has the outbox deliver by it.
pub fn start(
    family: &Parent,
    configured: &[ChannelConfig],
    doors: &Arc<Doors>,
    router: &Link<RouterActor>,
    owner: &HomeOwner,
    known: &[PairingRow],
) -> Vec<Channel> {
    let house = Arc::new(Floor::new(doors.clone(), router.clone(), owner.clone()));
    // With one agent there is nothing to tell apart.
    let several = doors.agents.profiles().len() > 1;
    let channel = |config: &ChannelConfig| {
        let (status, name): (_, Arc<str>) = (Status::default(), config.name.as_str().into());
        let pairs = Pairs::default();
        pairs.load(known.iter().filter(|row| *row.channel == *name && row.account == config.account()));
        let table = ChannelConfig { names: config.names && several, ..config.clone() };
        let (floor, told, shared) = (house.clone(), status.clone(), pairs.clone());
        let spec = ChildSpec::new(name.clone(), Restart::Permanent, ChannelActor::MAILBOX, move |birth| {
            ChannelActor::new(&table, floor.clone(), told.clone(), shared.clone(), birth.tether)
        });
        let link = family.adopt(spec);
        let hook = config.kind.hook_header.zip(config.hook_secret());
        doors.outbox.connect(name.clone(), Arc::new(link.clone()));
        let account = config.account().into();
        let allow = config.allow.clone().into();
        Channel { name, account, allow, kind: config.kind.name, agent: config.agent.clone(), status, pairs, link, hook }
    };
    configured.iter().map(channel).collect()
}
