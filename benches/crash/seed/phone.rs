//! People on a platform: what they write is delivered to the daemon whenever it lives, and they see what it answers.

use anyhow::{Context, Result, ensure};
use mosaic_testkit::telegram::{Saying, TOKEN};
use mosaic_testkit::{StandIn, Step, Telegram};
use serde_json::Value;
use tokio::time::sleep;

use super::World;
use super::check::get;
use super::person::Message;
use super::plan::Note;
use super::process::At;

/// The channel's name, and where the daemon finds its token.
pub(crate) const CHANNEL: &str = "phone";
pub(crate) const TOKEN_ENV: (&str, &str) = ("PHONE_TOKEN", TOKEN);

/// The first chat, a private one with the user of this number; the others follow.
const FIRST: i64 = 501;
/// Nobody on the platform is one of the people who talk to the API.
const PERSON: usize = 1_000;

fn user(chat: usize) -> i64 {
    FIRST + i64::try_from(chat).expect("few chats")
}

fn question(chat: usize, number: usize) -> String {
    format!("note {number} of {chat}.")
}

fn answer(chat: usize, number: usize) -> String {
    format!("heard of note {number} by {chat}, and so be it")
}

/// The table of the settings that names the platform.
pub(crate) fn setting(telegram: &Telegram, chats: usize) -> String {
    let allow: Vec<_> = (0..chats).map(|chat| format!("user:{}", user(chat))).collect();
    format!(
        "[channels.{CHANNEL}]\nkind = \"telegram\"\ntoken_env = {:?}\napi_url = {:?}\npoll = \"1s\"\nallow = {allow:?}\n",
        TOKEN_ENV.0,
        telegram.url(),
    )
}

/// What the model says to each note: none is like another, so that what is seen twice is found.
pub(crate) fn teach(model: &StandIn, notes: &[Vec<Note>]) {
    for (chat, notes) in notes.iter().enumerate() {
        for (number, note) in notes.iter().enumerate() {
            model.when_last_user_contains(question(chat, number), Step::say_in(answer(chat, number), 8, note.pace));
        }
    }
}

/// Writes the notes of a chat, whether anybody is there to read them or not.
pub(crate) async fn write(world: &World, chat: usize) {
    for (number, note) in world.plan.notes[chat].iter().enumerate() {
        sleep(note.after).await;
        world.telegram.say(&Saying::private(user(chat), question(chat, number)));
    }
}

/// The sessions of the channel.
pub(crate) async fn sessions(at: &At) -> Result<Vec<String>> {
    let page = get(at, "/api/v1/sessions?limit=200").await?;
    let rows = page["items"].as_array().context("a list of sessions")?;
    let mine = rows.iter().filter(|row| row["channel"] == CHANNEL);
    Ok(mine.filter_map(|row| row["id"].as_str().map(str::to_owned)).collect())
}

/// What is still under way between the platform and the daemon.
pub(crate) async fn restless(world: &World, at: &At) -> Result<Option<String>> {
    let waiting = world.telegram.unconfirmed();
    if waiting > 0 {
        return Ok(Some(format!("{waiting} updates are not taken in")));
    }
    let outbox = outbox(at).await?;
    let still = outbox["pending"] != 0 || outbox["sending"] != 0;
    Ok(still.then(|| format!("the outbox holds {outbox}")))
}

/// The notes as messages of the channel's sessions, which come behind the world's others; one session for each chat.
pub(crate) async fn messages(world: &World, at: &At) -> Result<Vec<Message>> {
    let mut said = Vec::new();
    for session in sessions(at).await? {
        let page = get(at, &format!("/api/v1/sessions/{session}/messages?limit=200")).await?;
        let first = page["items"].as_array().and_then(|items| items.iter().find(|item| item["role"] == "user"));
        let text = first.and_then(|item| item["text"].as_str()).context("a session that somebody wrote in")?;
        let chat =
            (0..world.plan.notes.len()).find(|chat| text.ends_with(&format!(" of {chat}."))).context("a chat")?;
        let number = world.sessions.borrow().len();
        world.sessions.borrow_mut().push(session);
        said.extend((0..world.plan.notes[chat].len()).map(|note| Message {
            person: PERSON + chat,
            session: number,
            key: String::new(),
            text: question(chat, note),
            mode: None,
        }));
    }
    let written: usize = world.plan.notes.iter().map(Vec::len).sum();
    ensure!(said.len() == written, "{} of {written} notes have a session", said.len());
    Ok(said)
}

/// Each answer is seen once, in order: I2 and I3. One may be missing for each delivery of which nobody can tell, and a
/// beginning may be left of an answer that was cut off while it was shown.
pub(crate) fn seen(world: &World, outbox: &Value) -> Result<()> {
    let unknown = outbox["unknown"].as_u64().context("a count")?;
    let mut missing = 0;
    for (chat, notes) in world.plan.notes.iter().enumerate() {
        let texts = world.telegram.texts(user(chat));
        let mut place = 0;
        for number in 0..notes.len() {
            let answer = answer(chat, number);
            let found: Vec<_> =
                texts.iter().enumerate().filter(|(_, text)| **text == answer).map(|(at, _)| at).collect();
            ensure!(found.len() < 2, "chat {chat}: {answer:?} is seen twice: {texts:?}");
            match found.first() {
                None => missing += 1,
                Some(at) => {
                    ensure!(*at >= place, "chat {chat}: out of order: {texts:?}");
                    place = *at;
                }
            }
        }
        let answers: Vec<_> = (0..notes.len()).map(|number| answer(chat, number)).collect();
        for text in texts.iter().filter(|text| !answers.contains(text)) {
            let shown = text.trim_end_matches(['…', ' ']);
            ensure!(
                answers.iter().any(|answer| answer.starts_with(shown)),
                "chat {chat}: {text:?} is no answer: {texts:?}"
            );
            world.tally.borrow_mut().left += 1;
        }
    }
    ensure!(missing <= unknown, "{missing} answers were never seen, and {unknown} deliveries are unknown");
    ensure!(outbox["dead"] == 0, "{outbox}");
    world.tally.borrow_mut().notes += world.plan.notes.iter().map(|notes| notes.len() as u64).sum::<u64>();
    Ok(())
}

/// The channel's outbox, as it is counted.
pub(crate) async fn outbox(at: &At) -> Result<Value> {
    Ok(get(at, "/api/v1/channels").await?["items"][0]["outbox"].clone())
}
