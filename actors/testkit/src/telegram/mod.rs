//! Telegram as its bots know it: the Bot API on a loopback socket, with people who talk and a record of what they see.
//!
//! [`Telegram`] has a thread and a runtime of its own. It keeps updates until they are confirmed by an offset, as the real
//! one does, checks texts and markup as strictly, and can be told to fail in the ways in which the real one fails.

mod html;
mod methods;
mod server;
mod state;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use state::{BOT_ID, BOT_NAME, Shared, State};
pub use state::{Fault, Shown};

/// The token of its bot, where it is not told another.
pub const TOKEN: &str = "4242:AAE-stand_in";

/// What people call the bot.
pub const NAME: &str = BOT_NAME;

/// A running stand-in; dropping it closes its socket and every connection.
#[derive(Debug)]
pub struct Telegram {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Something that somebody says.
#[derive(Debug, Clone)]
pub struct Saying {
    chat: i64,
    user: i64,
    text: String,
    more: Value,
}

impl Saying {
    /// In the private chat of that user, whose number is the same.
    pub fn private(user: i64, text: impl Into<String>) -> Self {
        Self { chat: user, user, text: text.into(), more: json!({}) }
    }

    /// In a group, whose number is negative.
    pub fn group(chat: i64, user: i64, text: impl Into<String>) -> Self {
        Self { chat, user, text: text.into(), more: json!({}) }
    }

    /// In a topic of a forum.
    #[must_use]
    pub fn in_topic(mut self, topic: i64) -> Self {
        self.more["message_thread_id"] = json!(topic);
        self.more["is_topic_message"] = json!(true);
        self
    }

    /// As the answer to a message of the bot.
    #[must_use]
    pub fn replying_to(mut self, message: i64) -> Self {
        self.more["reply_to_message"] = json!({"message_id": message, "date": 1, "text": "…", "from": state::bot(),
            "chat": state::chat(self.chat)});
        self
    }

    /// With a file, of which the text is the caption; a picture where it is a JPEG.
    #[must_use]
    pub fn with_file(mut self, telegram: &Telegram, name: &str, media_type: &str, data: &[u8]) -> Self {
        let id = format!("file-{name}");
        telegram.shared.change(|state| state.files.insert(id.clone(), data.to_vec()));
        let file = json!({"file_id": id, "file_unique_id": id, "file_size": data.len(), "width": 1, "height": 1,
            "file_name": name, "mime_type": media_type});
        if media_type == "image/jpeg" {
            self.more["photo"] = json!([file]);
        } else {
            self.more["document"] = file;
        }
        self.more["caption"] = json!(self.text);
        self
    }

    /// So long ago.
    #[must_use]
    pub fn ago(mut self, age: Duration) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
        self.more["date"] = json!(now.saturating_sub(age).as_secs());
        self
    }

    /// By a program.
    #[must_use]
    pub fn by_a_bot(mut self) -> Self {
        self.more["from"] = json!({"id": self.user, "is_bot": true, "first_name": "Robo"});
        self
    }

    fn message(&self, id: i64) -> Value {
        let mut message = json!({"message_id": id, "date": 1_800_000_000, "chat": state::chat(self.chat), "text": self.text,
            "from": {"id": self.user, "is_bot": false, "first_name": format!("User{}", self.user)}});
        let at = format!("@{BOT_NAME}");
        let found = self.text.to_ascii_lowercase().find(&at);
        if let Some(start) = found {
            let offset = self.text[..start].encode_utf16().count();
            message["entities"] = json!([{"type": "mention", "offset": offset, "length": at.len()}]);
        }
        for (key, value) in self.more.as_object().into_iter().flatten() {
            message[key] = value.clone();
        }
        if self.more["caption"].is_string() {
            message.as_object_mut().expect("an object").remove("text");
        }
        message
    }
}

impl Telegram {
    /// Starts one with nobody in it.
    pub fn start() -> Self {
        Self::start_for(TOKEN)
    }

    /// Starts one that knows another token.
    pub fn start_for(token: &str) -> Self {
        let socket = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        socket.set_nonblocking(true).expect("a socket can be set so");
        let address = socket.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::new(State::of(token)));
        let (stop, stopped) = oneshot::channel();
        let serving = shared.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(server::serve(socket, serving, stopped));
        });
        Self { address, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// What a channel's `api_url` is set to.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Somebody says something; answers the message's number.
    pub fn say(&self, saying: &Saying) -> i64 {
        self.shared.change(|state| {
            let id = state.number();
            state.tell(json!({"message": saying.message(id)}));
            id
        })
    }

    /// Somebody changes what they said.
    pub fn edit(&self, message: i64, saying: &Saying) {
        self.shared.change(|state| {
            let mut edited = saying.message(message);
            edited["edit_date"] = json!(1_800_000_000 + state.number());
            state.tell(json!({"edited_message": edited}));
        });
    }

    /// Somebody presses the first button under a message of the bot. Panics if there is none.
    pub fn press(&self, chat: i64, user: i64, message: i64) {
        let shown = self.seen(chat).into_iter().find(|shown| shown.id == message).expect("the message is there");
        let (_, data) = shown.buttons.first().expect("there is a button");
        self.press_late(chat, user, message, data);
    }

    /// Somebody presses a button that hung under a message of the bot, and may be gone by now.
    pub fn press_late(&self, chat: i64, user: i64, message: i64, data: &str) {
        self.shared.change(|state| {
            let shown = state.shown(chat, message).expect("the message is there");
            let on = json!({"message_id": message, "date": 1_800_000_000, "chat": state::chat(chat), "text": shown.text,
                "from": state::bot()});
            let query = json!({"id": format!("q{}", state.number()), "chat_instance": "c", "data": data, "message": on,
                "from": {"id": user, "is_bot": false, "first_name": format!("User{user}")}});
            state.tell(json!({"callback_query": query}));
        });
    }

    /// An update as it stands, its number apart.
    pub fn tell(&self, update: Value) {
        self.shared.change(|state| state.tell(update));
    }

    /// Tells the last update once more under another number, as a platform does that forgets what it has told.
    pub fn repeat(&self) {
        self.shared.change(|state| state.repeat());
    }

    /// Tells the last `count` confirmed updates once more, as after an offset that was forgotten.
    pub fn replay(&self, count: usize) {
        self.shared.change(|state| state.replay(count));
    }

    /// The next calls of `method` fail so, one after the other. Case does not matter.
    pub fn fail(&self, method: &str, faults: impl IntoIterator<Item = Fault>) {
        self.shared.change(|state| state.calls.fail(&method.to_ascii_lowercase(), faults));
    }

    /// From now on about so many of a hundred calls that send or edit fail in some way, by chance from `seed`; 0: none.
    pub fn plague(&self, seed: u64, percent: u8) {
        self.shared.change(|state| state.calls.plague(seed, percent));
    }

    /// Nobody may write to that chat any more.
    pub fn close(&self, chat: i64) {
        self.shared.change(|state| {
            state.closed.insert(chat);
        });
    }

    /// Somebody takes a message away.
    pub fn delete(&self, chat: i64, message: i64) {
        self.shared.change(|state| state.delete(chat, message));
    }

    /// What people see of the bot in a chat, oldest first.
    pub fn seen(&self, chat: i64) -> Vec<Shown> {
        self.shared.look(|state| state.chats.get(&chat).cloned().unwrap_or_default())
    }

    /// The texts of [`seen`](Self::seen).
    pub fn texts(&self, chat: i64) -> Vec<String> {
        self.seen(chat).into_iter().map(|shown| shown.text).collect()
    }

    /// How often a method was called.
    pub fn calls(&self, method: &str) -> usize {
        self.shared.look(|state| state.calls.made(&method.to_ascii_lowercase()))
    }

    /// What those were shown who pressed a button, oldest first.
    pub fn answers(&self) -> Vec<String> {
        self.shared.look(|state| state.answers.clone())
    }

    /// The commands that the bot has published.
    pub fn commands(&self) -> Vec<String> {
        self.shared.look(|state| state.commands.clone())
    }

    /// Where it calls instead of being polled.
    pub fn calls_at(&self) -> Option<String> {
        self.shared.look(|state| state.webhook.as_ref().map(|(url, _)| url.clone()))
    }

    /// Somebody has it call that address.
    pub fn call_at(&self, url: &str) {
        self.shared.change(|state| state.webhook = Some((url.to_owned(), String::new())));
    }

    /// Updates that were not confirmed yet.
    pub fn unconfirmed(&self) -> usize {
        self.shared.look(|state| state.updates.len())
    }

    /// The most messages and edits that went to one chat within `span`, and to all of them.
    pub fn busiest(&self, span: Duration) -> (usize, usize) {
        self.shared.look(|state| state.busiest(span))
    }

    /// Changes whenever anything happens here.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes()
    }

    /// Waits until `look` finds something. Panics after half a minute, with what is to be seen.
    pub async fn until<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        self.shared.until(what, || look(self)).await
    }

    /// Waits until a chat shows exactly these texts.
    pub async fn shows(&self, chat: i64, texts: &[&str]) {
        self.until(&format!("chat {chat} shows {texts:?}"), |telegram| (telegram.texts(chat) == texts).then_some(()))
            .await;
    }
}

impl Drop for Telegram {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The bot's number.
pub const BOT: i64 = BOT_ID;
