//! What befalls a running house: orders to panic or to stop, and a clock that is set.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mosaic_supervise::Control;

use super::dice::Dice;
use super::house::{House, agent, provider};
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
