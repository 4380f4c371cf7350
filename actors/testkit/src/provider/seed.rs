//! Misbehaviour drawn from a seed, the same for the same seed.

use std::time::Duration;

use super::step::Step;

const TEXT: &str = "the quick brown fox jumps over the lazy dog";

impl Step {
    /// `n` steps drawn from `seed`: about half of them good answers, the rest every misfortune that needs no gate.
    pub fn seeded(seed: u64, n: usize) -> Vec<Self> {
        let mut chance = fastrand::Rng::with_seed(seed);
        (0..n).map(|_| draw(&mut chance)).collect()
    }

    /// As [`Step::seeded`], but only steps that come to an end by themselves.
    pub fn seeded_ending(seed: u64, n: usize) -> Vec<Self> {
        let mut chance = fastrand::Rng::with_seed(seed);
        std::iter::repeat_with(|| draw(&mut chance)).filter(Self::ends_by_itself).take(n).collect()
    }
}

fn draw(chance: &mut fastrand::Rng) -> Step {
    let after = chance.usize(0..6);
    match chance.u32(0..36) {
        0 => Step::Stall,
        1 => Step::Mute { text: TEXT.into(), after },
        2 => Step::Silence,
        3 => Step::Flood { bytes: chance.usize(1 << 10..1 << 18) },
        4 => Step::LongLine { bytes: chance.usize(1 << 21..1 << 22) },
        5 => Step::truncate(TEXT),
        6 => Step::Garbage,
        7 => Step::BadUtf8,
        8 => Step::error_event("server_error", "The server had an error."),
        9 => Step::WrongType,
        10 => Step::Compressed,
        11 => Step::status(500, "server_error", "The server had an error."),
        12 => Step::status(503, "overloaded", "Overloaded."),
        13 => Step::RateLimit(Duration::from_millis(chance.u64(1..50))),
        // A write for each byte, but no pause: the timer would make it a second.
        14 => Step::SlowBytes { text: "slow".into(), delay: Duration::ZERO },
        15 => Step::Drop,
        16 => Step::DropAfter { text: TEXT.into(), after },
        17 => Step::call_tool("clock", "{}"),
        18 => Step::think_say("let me see", TEXT),
        19..24 => Step::say_in(TEXT, 1 + after, Duration::from_millis(chance.u64(0..4))),
        _ => Step::say(format!("answer {}", chance.u32(..))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_steps() {
        assert_eq!(format!("{:?}", Step::seeded(7, 50)), format!("{:?}", Step::seeded(7, 50)));
        assert_ne!(format!("{:?}", Step::seeded(7, 50)), format!("{:?}", Step::seeded(8, 50)));
        assert!(Step::seeded_ending(7, 200).iter().all(Step::ends_by_itself));
    }
}
