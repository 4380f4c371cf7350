//! What befalls a running house: orders to panic or to stop, and a clock that is set.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mosaic_messages::RemoveSession;
use mosaic_runtime::doors::unreached;
use mosaic_supervise::Control;
use mosaic_types::Code;
use tokio::time::timeout;

use super::dice::Dice;
use super::house::{House, agent, provider};
use super::person::{ANSWERED_WITHIN, passes};
use super::{World, held};

/// The root's own children: each order to one of them is charged to the root.
const AT_ROOT: [&str; 6] = ["writer", "router", "recovery", "sessions", "agents", "providers"];

/// Orders children to panic, or to stop, until faults are over.
pub(crate) async fn kills(house: Rc<House>, world: Arc<World>) {
    let Some(pause) = world.plan.kills.clone() else { return };
    loop {
        let pause = held(&world.chaos).millis(pause.clone());
        tokio::time::sleep(pause).await;
        if world.is_calm() {
            return;
        }
        let (child, kind) = victim(&mut held(&world.chaos), &world);
        let stop = held(&world.chaos).happens(150);
        let order = if stop { Control::Stop } else { Control::Panic };
        let heard = house.root.order(&child, order).await;
        world.note(&format_args!("{order:?} {child}: {heard}"));
        world.count(match (heard, stop) {
            (false, _) => "kills: nobody there",
            (true, true) => "kills: orders to stop",
            (true, false) => kind,
        });
    }
}

fn victim(dice: &mut Dice, world: &World) -> (String, &'static str) {
    if dice.happens(world.plan.kills_at_root) {
        return ((*dice.pick(&AT_ROOT)).to_owned(), "kills: panics of the root's children");
    }
    // A session is drawn three times as often as an agent or a provider.
    let plan = &world.plan;
    let draw = dice.below(3 * plan.sessions + plan.agents + plan.providers);
    match draw.checked_sub(3 * plan.sessions) {
        None => (format!("sessions/s{}", draw / 3), "kills: panics of sessions"),
        Some(number) if number < plan.agents => (format!("agents/{}", agent(number)), "kills: panics of agents"),
        Some(number) => (format!("providers/{}", provider(number - plan.agents)), "kills: panics of providers"),
    }
}

/// Removes sessions, until faults are over. What is said in them later makes them anew.
pub(crate) async fn removals(house: Rc<House>, world: Arc<World>) {
    let Some(pause) = world.plan.removals.clone() else { return };
    loop {
        let pause = held(&world.chaos).millis(pause.clone());
        tokio::time::sleep(pause).await;
        let number = held(&world.chaos).below(world.plan.sessions);
        let session: mosaic_types::SessionId = format!("s{number}").parse().expect("a valid id");
        // Whoever wants it gone asks again.
        while !world.is_calm() {
            let ask = RemoveSession { session: session.clone(), from: house.who };
            let Ok(answer) = timeout(ANSWERED_WITHIN, house.router.ask(ask)).await else {
                world.broken(&format_args!("I9: whoever removes {session} got no answer within {ANSWERED_WITHIN:?}"));
                return;
            };
            match answer.unwrap_or_else(|error| Err(unreached("The router", &error))) {
                Ok(()) => {
                    world.count("people: sessions removed");
                    break;
                }
                Err(failure) if failure.code == Code::NotFound => break,
                Err(failure) if passes(&failure) => tokio::time::sleep(Duration::from_millis(500)).await,
                Err(failure) => world.broken(&format_args!("I9: {session} cannot be removed: {failure:?}")),
            }
        }
        if world.is_calm() {
            return;
        }
    }
}

/// Sets the clock an hour forth or back, until faults are over.
pub(crate) async fn clock(world: Arc<World>) {
    let Some(pause) = world.plan.clock_jumps.clone() else { return };
    loop {
        let pause = held(&world.chaos).millis(pause.clone());
        tokio::time::sleep(pause).await;
        if world.is_calm() {
            return;
        }
        let back = held(&world.chaos).happens(500);
        world.jump(Duration::from_secs(3_600), back);
    }
}
