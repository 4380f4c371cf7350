//! Telegram, as the suite needs it.

use std::time::Duration;

use mosaic_testkit::Telegram;
use mosaic_testkit::telegram::{Fault, NAME, Saying, TOKEN};
use tokio::sync::watch;

use crate::stand::{self, Place, Who};

const ADA: i64 = 11;
const ROOM: i64 = -1001;

pub(crate) struct Stand(Telegram);

impl Stand {
    fn chat(place: Place) -> i64 {
        match place {
            Place::Direct => ADA,
            Place::Room => ROOM,
        }
    }
}

impl stand::Stand for Stand {
    const UNITS: usize = 4_096;

    fn start() -> Self {
        Self(Telegram::start())
    }

    fn token(&self) -> &str {
        TOKEN
    }

    fn table(&self) -> String {
        format!("kind = \"telegram\"\napi_url = \"{}\"\npoll = \"1s\"\nallow = [\"user:{ADA}\"]\n", self.0.url())
    }

    fn say(&self, who: Who, place: Place, named: bool, text: &str) {
        let text = if named { format!("@{NAME} {text}") } else { text.to_owned() };
        let user = match who {
            Who::Ada => ADA,
            Who::Stranger(number) => 1_000 + i64::from(number),
        };
        match place {
            Place::Direct => self.0.say(&Saying::private(user, text)),
            Place::Room => self.0.say(&Saying::group(ROOM, user, text)),
        };
    }

    fn tell_again(&self) {
        self.0.repeat();
    }

    fn ask_for_silence(&self, wait: Duration) {
        self.0.fail("sendMessage", [Fault::Flood(wait.as_secs())]);
    }

    fn cut_off(&self) {
        self.0.fail("sendMessage", [Fault::CutAfter]);
    }

    fn fall_mute(&self, times: usize) {
        self.0.fail("sendMessage", std::iter::repeat_n(Fault::Mute, times));
    }

    fn close(&self, place: Place) {
        self.0.close(Self::chat(place));
    }

    fn texts(&self, place: Place) -> Vec<String> {
        self.0.texts(Self::chat(place))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes()
    }

    fn writes(&self) -> usize {
        self.0.calls("sendMessage") + self.0.calls("editMessageText")
    }
}
