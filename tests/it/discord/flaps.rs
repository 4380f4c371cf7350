//! A gateway that is cut again and again while people write.

use fastrand::Rng;
use mosaic_testkit::StandIn;
use mosaic_testkit::discord::{Discord, dm};

use super::{ADA, EVE, GUILD, ROOM, ada, awake, named};

/// Cuts where `MOSAIC_TEST_FLAPS` does not say how many: as many as Discord's usual pause leaves room for in a minute. An hour
/// of them is 3,000.
const CUTS: usize = 50;

/// What the daemon may hold more at the end than in the middle. Nothing it keeps of a cut grows with their number.
const GROWTH_KIB: u64 = 16 << 10;

/// Three rooms, and what each has been asked.
struct People {
    asked: Vec<(u64, Vec<String>)>,
}

impl People {
    fn new() -> Self {
        Self { asked: [dm(ADA), ROOM, 777].map(|room| (room, Vec::new())).to_vec() }
    }

    fn say(&mut self, discord: &Discord, dice: &mut Rng) {
        let at = dice.usize(..self.asked.len());
        let (room, asked) = &mut self.asked[at];
        let text = format!("note {} in {room}", asked.len());
        discord.say(&match *room {
            ROOM => named(EVE, &text),
            777 => named(EVE, &text).in_room(777),
            _ => ada(&text),
        });
        asked.push(text);
    }

    /// Waits until each is answered once and in order.
    async fn answered(&self, discord: &Discord) {
        for (room, asked) in &self.asked {
            let expected: Vec<String> = asked.iter().map(|text| format!("You said: {text}")).collect();
            discord.until("all is answered", |discord| (discord.texts(*room) == expected).then_some(())).await;
        }
    }
}

#[tokio::test]
async fn a_gateway_that_is_cut_again_and_again_loses_nothing_and_costs_one_session() {
    let cuts = std::env::var("MOSAIC_TEST_FLAPS").ok().and_then(|cuts| cuts.parse().ok()).unwrap_or(CUTS);
    let (bed, discord) = awake(StandIn::builder()).await;
    discord.open_thread(777, ROOM, GUILD);
    let (mut dice, mut people, mut half) = (Rng::with_seed(21), People::new(), 0);
    for number in 0..cuts {
        discord.welcomed(number + 1).await;
        let before = dice.usize(..3);
        (0..before).for_each(|_| people.say(&discord, &mut dice));
        match dice.u8(..4) {
            0 => discord.close_gateway(1_001),
            1 => discord.close_gateway(4_000),
            _ => discord.cut_gateway(),
        }
        people.say(&discord, &mut dice);
        if number % 10 == 9 {
            people.answered(&discord).await;
        }
        if number == cuts / 2 {
            half = bed.resident_kib();
        }
    }
    discord.welcomed(cuts + 1).await;
    people.answered(&discord).await;
    let notes: usize = people.asked.iter().map(|(_, asked)| asked.len()).sum();
    assert_eq!(bed.model.progress().calls, notes, "nothing was asked twice");
    assert_eq!(discord.greetings(), (1, cuts), "one session of a day's thousand, and one try for each cut");
    assert_eq!(discord.most_listeners(), 1);
    let grown = bed.resident_kib().saturating_sub(half);
    assert!(grown < GROWTH_KIB, "{grown} KiB");
}
