//! The channels of a running house: their actors in the tree, the outbox's ways to them, and how each is.

mod house;

use std::sync::Arc;

use mosaic_channels::{ChannelActor, ChannelConfig, Status};
use mosaic_runtime::{Doors, RouterActor};
use mosaic_supervise::{ChildSpec, Link, Parent, Restart};
use mosaic_types::{AgentName, Principal};

use house::Floor;

/// A channel that was configured.
pub struct Channel {
    pub name: Arc<str>,
    /// As in `kind = "telegram"`.
    pub kind: &'static str,
    /// Who answers in new conversations; `None`: the default agent.
    pub agent: Option<AgentName>,
    pub status: Status,
    pub link: Link<ChannelActor>,
}

/// Starts an actor for each channel under `family`, and has the outbox deliver by it.
pub fn start(
    family: &Parent,
    configured: &[ChannelConfig],
    doors: &Arc<Doors>,
    router: &Link<RouterActor>,
    owner: Principal,
) -> Vec<Channel> {
    let house = Arc::new(Floor::new(doors.clone(), router.clone(), owner));
    let channel = |config: &ChannelConfig| {
        let (status, name): (_, Arc<str>) = (Status::default(), config.name.as_str().into());
        let (table, floor, told) = (config.clone(), house.clone(), status.clone());
        let spec = ChildSpec::new(name.clone(), Restart::Permanent, ChannelActor::MAILBOX, move |birth| {
            ChannelActor::new(&table, floor.clone(), told.clone(), birth.tether)
        });
        let link = family.adopt(spec);
        doors.outbox.connect(name.clone(), Arc::new(link.clone()));
        Channel { name, kind: config.kind.name, agent: config.agent.clone(), status, link }
    };
    configured.iter().map(channel).collect()
}
