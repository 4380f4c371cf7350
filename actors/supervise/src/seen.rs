//! A supervisor from outside: what it shows of its children, and how one of them is reached by name.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::time::Instant;

use crate::parent::Order;
use crate::scope::Scope;
use crate::supervisor::Supervisor;
use crate::tree::{ChildView, GetTree, Household, Kind};

impl Handler<Order> for Supervisor {
    type Result = ResponseFuture<bool>;
    fn handle(&mut self, order: Order, _: &mut Self::Context) -> Self::Result {
        let named = |name: &str| self.entries.values().find(|entry| &*entry.recipe.name() == name);
        if let Some(entry) = named(&order.child) {
            let passed = entry.recipe.control(order.order);
            return Box::pin(std::future::ready(passed));
        }
        let deeper = order.child.split_once('/').and_then(|(first, rest)| Some((named(first)?.recipe.family()?, rest)));
        let Some((family, rest)) = deeper.map(|(family, rest)| (family, Arc::<str>::from(rest))) else {
            return Box::pin(std::future::ready(false));
        };
        Box::pin(async move { family.order(&rest, order.order).await })
    }
}

impl Handler<GetTree> for Supervisor {
    type Result = ResponseFuture<Household>;
    fn handle(&mut self, _: GetTree, _: &mut Self::Context) -> Self::Result {
        let now = Instant::now();
        let ids: Vec<_> = self.entries.keys().copied().collect();
        let mut children = Vec::with_capacity(ids.len());
        for id in ids {
            let restarts = self.state.restarts(id, now);
            let (Some(entry), Some(kin)) = (self.entries.get(&id), self.state.children.get(&id)) else { continue };
            let family = entry.recipe.family();
            let view = ChildView {
                name: kin.name.clone(),
                kind: if family.is_some() { Kind::Supervisor } else { Kind::Actor },
                state: kin.state,
                incarnation: kin.incarnation,
                restarts,
                depth: entry.recipe.depth(),
                oldest_ms: millis(entry.recipe.oldest_wait()),
                last_error: kin.last_error.clone(),
                for_ms: millis(now.duration_since(kin.since)),
                household: None,
            };
            children.push((view, family));
        }
        let spent = matches!(self.state.scope(), Scope::Shared(_)).then(|| self.state.spent(now));
        let mut household = Household {
            strategy: self.state.strategy(),
            spent,
            budget: self.state.scope().budget().restarts,
            lived_ms: millis(now.duration_since(self.began)),
            children: Vec::with_capacity(children.len()),
        };
        Box::pin(async move {
            for (mut view, family) in children {
                if let Some(family) = family {
                    view.household = family.household().await;
                }
                household.children.push(view);
            }
            household
        })
    }
}

/// Whole milliseconds.
pub(crate) fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
