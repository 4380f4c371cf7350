//! One seed: a home, the real binary, a model and some people; deaths of the process at points and times that the seed
//! draws; then quiet, and a look at everything from outside and in the database.
//!
//! Used by `benches/crash` for many seeds and by `tests/it/crash.rs` for a few. The seed draws the plan; how the
//! process and the machine share their time is not in its hands, so a seed may need some runs to show again what it
//! has shown.

mod check;
mod person;
mod phone;
mod plan;
mod process;
mod rows;
mod socket;
mod store;
mod tally;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::future::{join_all, try_join_all};
use mosaic_testkit::{StandIn, Step, Telegram};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

pub(crate) use store::Store;
pub(crate) use tally::Tally;

use person::{code, request, talk};
use plan::{Fate, Plan};
use process::{At, End, Process};
use store::Kept;

/// Where a kill point is not reached, the process is killed after so long.
const NEVER_REACHED: Duration = Duration::from_millis(1_500);

/// What all parts of a seed's run share.
struct World {
    plan: Plan,
    binary: PathBuf,
    home: TempDir,
    kept: Kept,
    model: StandIn,
    telegram: Telegram,
    /// Where the daemon listens; nowhere while it is dead.
    at: watch::Sender<Option<At>>,
    sessions: RefCell<Vec<String>>,
    tally: RefCell<Tally>,
}

/// Runs a seed to its end. Where something is off, the home is kept and named.
pub(crate) async fn run(seed: u64, binary: &Path, store: &Store) -> Result<Tally> {
    let plan = Plan::draw(seed);
    let model = StandIn::builder().script(plan.script.clone()).start();
    phone::teach(&model, &plan.notes);
    let (kept, home) = (Kept::make(store).await, tempfile::tempdir()?);
    let mut world = World {
        plan,
        binary: binary.to_owned(),
        home,
        kept,
        model,
        telegram: Telegram::start(),
        at: watch::Sender::new(None),
        sessions: RefCell::default(),
        tally: RefCell::new(Tally { seeds: 1, ..Tally::default() }),
    };
    let judged = world.live().await;
    match judged {
        Ok(()) => Ok(world.tally.into_inner()),
        Err(why) => {
            world.home.disable_cleanup(true);
            let fates = &world.plan.fates;
            Err(why.context(format!("seed {seed}, home {}, lives {fates:?}", world.home.path().display())))
        }
    }
}

impl World {
    /// Where the daemon listens, once it does.
    async fn up(&self) -> At {
        let mut seen = self.at.subscribe();
        let at = seen.wait_for(Option::is_some).await.expect("the sender lives as long as the world");
        at.clone().expect("it was waited for")
    }

    async fn live(&self) -> Result<()> {
        self.configure()?;
        let people = async {
            self.make_sessions().await?;
            try_join_all((0..self.plan.people).map(|person| talk(self, person))).await
        };
        let notes = async { Ok(join_all((0..self.plan.notes.len()).map(|chat| phone::write(self, chat))).await) };
        let (mut process, sent, _) = tokio::try_join!(self.lives(), people, notes)?;
        let sent: Vec<_> = sent.into_iter().flatten().collect();
        let at = self.up().await;
        check::settled(self, &at).await?;
        self.tally.borrow_mut().rest.push(process.began.elapsed());
        let notes = phone::messages(self, &at).await?;
        let said: Vec<_> = sent.iter().chain(&notes).cloned().collect();
        check::outside(self, &at, &said).await?;
        check::repeats(self, &at, &sent).await?;
        phone::seen(self, &phone::outbox(&at).await?)?;
        process.terminate()?;
        ensure!(process.ended().await? == End::Stopped, "it did not stop in good order");
        let messages = said.len() as u64;
        {
            let mut tally = self.tally.borrow_mut();
            tally.messages = messages;
            tally.calls = self.model.progress().calls as u64;
        }
        rows::whole(self, messages).await
    }

    fn configure(&self) -> Result<()> {
        let text = format!(
            r#"default_agent = "assistant"
detect = false

[gateway]
bind = "127.0.0.1:0"
workers = 2

[shutdown]
grace = "1s"

[session]
debounce = "150ms"

{}
[providers.lab]
base_url = "{}"
idle_timeout = "700ms"

[agents.assistant]
models = ["lab/m-1", "lab/m-2"]
tools = ["clock", "plant_again", "plant_once"]

{}"#,
            self.kept.setting(),
            self.model.base_url(),
            phone::setting(&self.telegram, self.plan.notes.len())
        );
        Ok(std::fs::write(self.home.path().join("config.toml"), text)?)
    }

    async fn make_sessions(&self) -> Result<()> {
        while self.sessions.borrow().len() < self.plan.sessions {
            // One whose answer was cut off stays empty and harms nobody.
            let made = request(&self.up().await, "POST", "/api/v1/sessions", &[], &json!({})).await;
            match made {
                Ok(answer) if answer.status() == 201 => {
                    let id = person::json(&answer)?["id"].as_str().context("an id")?.to_owned();
                    self.sessions.borrow_mut().push(id);
                }
                Ok(answer) => drop(code(&answer)?),
                Err(_) => {}
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// All lives but the last end as the plan says; answers the last, in which nothing is wrong any more.
    async fn lives(&self) -> Result<Process> {
        for fate in &self.plan.fates {
            let mut process = Process::start(&self.binary, self.home.path(), fate.order().as_deref())?;
            let end = match process.ready(self.home.path()).await? {
                Some((at, resumed)) => {
                    let began = process.began;
                    self.at.send_replace(Some(at.clone()));
                    let (end, ()) = tokio::join!(self.end(&mut process, fate), self.watch(&at, resumed, began));
                    end?
                }
                None => process.ended().await?,
            };
            self.at.send_replace(None);
            let how = match (end, fate) {
                (End::Killed, _) => "kill -9".to_owned(),
                (End::Died, Fate::Dies { at, .. } | Fate::DiesInDrain { at, .. }) => at.name().to_owned(),
                (End::Stopped, Fate::Drained { .. } | Fate::DiesInDrain { .. } | Fate::KilledInDrain { .. }) => {
                    "stopped".to_owned()
                }
                (end, fate) => anyhow::bail!("{end:?} is no end for {fate:?}"),
            };
            self.tally.borrow_mut().ended(how);
        }
        self.model.when_last_user_contains("", Step::say("all is well"));
        let mut process = Process::start(&self.binary, self.home.path(), None)?;
        let (at, resumed) = process.ready(self.home.path()).await?.context("the last start failed")?;
        self.at.send_replace(Some(at.clone()));
        self.watch(&at, resumed, process.began).await;
        Ok(process)
    }

    async fn end(&self, process: &mut Process, fate: &Fate) -> Result<End> {
        match fate {
            Fate::Killed { after } => {
                sleep(*after).await;
                process.kill().await
            }
            Fate::Dies { .. } => match timeout(NEVER_REACHED, process.ended()).await {
                Ok(end) => end,
                Err(_) => process.kill().await,
            },
            Fate::Drained { after } | Fate::DiesInDrain { after, .. } => {
                sleep(*after).await;
                process.terminate()?;
                process.ended().await
            }
            Fate::KilledInDrain { after, then } => {
                sleep(*after).await;
                process.terminate()?;
                sleep(*then).await;
                process.kill().await
            }
        }
    }

    /// Notes when a turn that was cut off is heard of again, if the process lives that long.
    async fn watch(&self, at: &At, resumed: usize, began: Instant) {
        if resumed == 0 {
            return;
        }
        self.tally.borrow_mut().recoveries += 1;
        let sessions = self.sessions.borrow().clone();
        let looking = async {
            let mut open = Vec::new();
            for session in sessions {
                if check::state(at, &session).await? != "idle" {
                    open.push(session);
                }
            }
            if open.is_empty() {
                // What was cut off has ended by now.
                return Ok(());
            }
            futures_util::future::select_ok(open.iter().map(|session| Box::pin(heard(at, session)))).await.map(|_| ())
        };
        if let Ok(Ok(())) = timeout(Duration::from_secs(20), looking).await {
            self.tally.borrow_mut().recovery.push(began.elapsed());
        }
    }
}

/// Resolves with the first piece of what the session says from now on, or with the end of a turn.
async fn heard(at: &At, session: &str) -> Result<()> {
    let last = check::journal(at, session).await?.last().and_then(|event| event["seq"].as_i64()).unwrap_or_default();
    if check::state(at, session).await? == "idle" {
        // It ended while the journal was read; nothing more will come.
        return Ok(());
    }
    let bearer = format!("Bearer {}", at.token);
    let headers = [("authorization", bearer.as_str()), ("accept", "text/event-stream")];
    let mut client = mosaic_testkit::http::Client::connect(at.address).await?;
    let path = format!("/api/v1/sessions/{session}/events?after={last}");
    let mut stream = client.stream("GET", &path, &headers, b"").await?;
    let mut text = String::new();
    while let Some(piece) = stream.next().await? {
        text += &String::from_utf8_lossy(&piece);
        for line in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
            let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
            let kind = event["type"].as_str().unwrap_or_default();
            if ["turn.delta", "turn.finished", "turn.failed", "turn.cancelled"].contains(&kind) {
                return Ok(());
            }
        }
    }
    anyhow::bail!("the stream ended")
}
