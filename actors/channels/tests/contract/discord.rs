//! Discord, as the suite needs it.

use std::time::Duration;

use mosaic_testkit::Discord;
use mosaic_testkit::discord::{BOT, Fault, Saying, TOKEN, dm};
use tokio::sync::watch;

use crate::stand::{self, Place, Who};

const ADA: u64 = 11;
const GUILD: u64 = 500;
const ROOM: u64 = 501;

pub(crate) struct Stand(Discord);

impl Stand {
    fn room(place: Place) -> u64 {
        match place {
            Place::Direct => dm(ADA),
            Place::Room => ROOM,
        }
    }
}

impl stand::Stand for Stand {
    const UNITS: usize = 2_000;

    fn start() -> Self {
        Self(Discord::start())
    }

    fn token(&self) -> &str {
        TOKEN
    }

    fn table(&self) -> String {
        format!("kind = \"discord\"\napi_url = \"{}\"\nallow = [\"user:{ADA}\"]\n", self.0.url())
    }

    fn say(&self, who: Who, place: Place, named: bool, text: &str) {
        let text = if named { format!("<@{BOT}> {text}") } else { text.to_owned() };
        let user = match who {
            Who::Ada => ADA,
            Who::Stranger(number) => 1_000 + u64::from(number),
        };
        self.0.say_once_heard(&match place {
            Place::Direct => Saying::direct(user, text),
            Place::Room => Saying::guild(GUILD, ROOM, user, text),
        });
    }

    fn tell_again(&self) {
        self.0.replay();
    }

    fn ask_for_silence(&self, wait: Duration) {
        self.0.fail("send", [Fault::Flood(wait.as_secs_f64())]);
    }

    fn cut_off(&self) {
        self.0.fail("send", [Fault::CutAfter]);
    }

    fn fall_mute(&self, times: usize) {
        self.0.fail("send", std::iter::repeat_n(Fault::Mute, times));
    }

    fn close(&self, place: Place) {
        self.0.close(Self::room(place));
    }

    fn texts(&self, place: Place) -> Vec<String> {
        self.0.texts(Self::room(place))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes()
    }

    fn writes(&self) -> usize {
        self.0.calls("send") + self.0.calls("edit")
    }
}
