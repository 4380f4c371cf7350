//! The table of one channel, `[channels.NAME]`.

use std::time::Duration;

use mosaic_types::settings::Section;
use mosaic_types::{AgentName, ChannelName, Secret};
use sha2::{Digest, Sha256};

use crate::allow::Mark;
use crate::registry::{KINDS, Kind};

/// How long a platform that is polled may hold a question open. Telegram's own advice is "long"; 25 s end before the
/// idle limits of common proxies (30 s).
const POLL: Duration = Duration::from_secs(25);

/// What is older is not answered any more. Telegram keeps what is new for as long.
const CATCH_UP: Duration = Duration::from_secs(24 * 3_600);

/// The path below which platforms call us; the channel's name follows.
pub const HOOKS: &str = "/hooks/";

/// Names of ways in that are no platforms.
const RESERVED: [&str; 3] = ["api", "tui", "web"];

/// Where a token is kept; it never stands in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// An environment variable, `token_env`.
    Variable(String),
    /// A file, `token_file`; a relative path starts at the home.
    File(String),
}

/// One configured channel.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelConfig {
    pub name: ChannelName,
    pub kind: Kind,
    pub token: Secret,
    /// Who answers in new conversations; `None`: the default agent.
    pub agent: Option<AgentName>,
    /// Who may talk; any match suffices.
    pub allow: Vec<Mark>,
    /// Among several people it answers only where it is addressed.
    pub mention: bool,
    /// The platform's origin, without a slash at its end.
    pub api_url: String,
    /// For so long the platform may hold a question for news open, where it is polled.
    pub poll: Duration,
    /// The address at which the platform reaches this daemon, without a slash at its end; it is polled where there is none.
    pub webhook_url: Option<String>,
    /// Of an answer that is longer than a message the rest comes as a file, and not in further messages.
    pub files: bool,
    /// An answer says whose it is, where there are several agents.
    pub names: bool,
    /// Among several people, from which question on a talk goes on in a thread of its own; 0: it never does.
    pub thread_after: usize,
    /// So many of the last messages that were not meant for it are told to the model with the next one that is; 0: none.
    pub context: usize,
    /// What was written longer ago, while nobody listened, is not answered; people are told how much that is.
    pub catch_up: Duration,
}

impl ChannelConfig {
    /// Reads the table of the channel `name`. `fetch` gets a token from where it is kept, or says what would have to be
    /// so. What is wrong is noted; `None` where no channel can be made of it.
    pub fn read(
        name: &str,
        section: &Section<'_>,
        fetch: &dyn Fn(&TokenSource) -> Result<Secret, String>,
    ) -> Option<Self> {
        let kind = read_kind(section);
        let token = read_token(section, kind, fetch);
        let agent = section.opt_parsed("agent", "the name of an agent is wanted");
        let allow = section.list_of("allow");
        let mention = section.flag("mention", true);
        let api_url = read_api_url(section, kind);
        let poll = section.span("poll", POLL, Duration::from_secs(1)..=Duration::from_secs(50));
        let files = section.flag("files", false);
        let names = section.flag("names", true);
        let thread_after = usize::try_from(section.whole("thread_after", 0, 0..=50)).unwrap_or_default();
        if let Some(kind) = kind.filter(|kind| thread_after > 0 && !kind.threads) {
            section.wrong("thread_after", format!("{} has no threads that a bot opens; leave it out", kind.name));
        }
        let context = usize::try_from(section.whole("context", 0, 0..=50)).unwrap_or_default();
        let webhook_url = read_webhook_url(section, kind);
        let day = Duration::from_secs(24 * 3_600);
        let catch_up = section.span("catch_up", CATCH_UP, Duration::from_secs(60)..=7 * day);
        if RESERVED.contains(&name) {
            section
                .wrong_here("the name is taken", format!("{name:?} is a way in of Mosaic's own; choose another name"));
            return None;
        }
        let name = match name.parse::<ChannelName>() {
            Ok(name) => name,
            Err(right) => {
                section.wrong_here("the name cannot be used", right.to_string());
                return None;
            }
        };
        Some(Self {
            name,
            kind: kind?,
            token: token?,
            agent,
            allow,
            mention,
            api_url,
            poll,
            webhook_url,
            files,
            names,
            thread_after,
            context,
            catch_up,
        })
    }

    /// Where the platform is to call.
    pub fn hook_url(&self) -> Option<String> {
        self.webhook_url.as_ref().map(|url| format!("{url}{HOOKS}{}", self.name))
    }

    /// What the platform says so that it is known. It is made of the token, so that it is the same after a start and needs
    /// not be kept, and tells nothing of it.
    pub fn hook_secret(&self) -> Option<String> {
        self.webhook_url.as_ref()?;
        let hash = Sha256::digest(format!("mosaic webhook\n{}\n{}", self.name, self.token.expose()));
        Some(hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The account that it speaks by.
    pub fn account(&self) -> String {
        (self.kind.account)(self.token.expose()).unwrap_or_default()
    }
}

fn read_kind(section: &Section<'_>) -> Option<Kind> {
    let name = section.text("kind", "");
    let kind = Kind::find(&name);
    if kind.is_none() {
        let names: Vec<String> = KINDS.iter().map(|kind| format!("{:?}", kind.name)).collect();
        section.wrong("kind", format!("this build knows {}", names.join(", ")));
    }
    kind
}

fn read_token(
    section: &Section<'_>,
    kind: Option<Kind>,
    fetch: &dyn Fn(&TokenSource) -> Result<Secret, String>,
) -> Option<Secret> {
    let (key, source) = match (section.opt_text("token_env"), section.opt_text("token_file")) {
        (Some(_), Some(_)) => {
            section.wrong("token_file", "set this or \"token_env\", not both");
            return None;
        }
        (Some(name), None) => ("token_env", TokenSource::Variable(name)),
        (None, Some(path)) => ("token_file", TokenSource::File(path)),
        (None, None) => {
            section.wrong("token_env", "name the environment variable that holds the bot's token, or a \"token_file\"");
            return None;
        }
    };
    let token = fetch(&source).map_err(|right| section.wrong(key, right)).ok()?;
    match kind {
        Some(kind) if (kind.account)(token.expose()).is_none() => {
            section.wrong(key, format!("what is kept there is no token of {}; {}", kind.name, kind.token));
            None
        }
        _ => Some(token),
    }
}

fn read_api_url(section: &Section<'_>, kind: Option<Kind>) -> String {
    let default = kind.map_or("", |kind| kind.api_url);
    let text = section.text("api_url", default);
    if kind.is_some() && !is_plain(&text) {
        let right = format!("an http or https address without user, password or query is wanted, as in {default:?}");
        section.wrong("api_url", right);
    }
    text.trim_end_matches('/').to_owned()
}

fn read_webhook_url(section: &Section<'_>, kind: Option<Kind>) -> Option<String> {
    let text = section.opt_text("webhook_url")?;
    let kind = kind?;
    let here = ["http://127.", "http://[::1]", "http://localhost"].iter().any(|start| text.starts_with(start));
    if kind.hook_header.is_none() {
        section.wrong("webhook_url", format!("{} is not asked to call; leave it out", kind.name));
    } else if !is_plain(&text) || !(here || text.starts_with("https://")) {
        let right = "the https address at which the platform reaches this daemon, as in \"https://bot.example.org\"";
        section.wrong("webhook_url", right);
    }
    Some(text.trim_end_matches('/').to_owned())
}

/// Whether an address holds nothing but where it leads.
fn is_plain(text: &str) -> bool {
    let Ok(url) = text.parse::<reqwest::Url>() else { return false };
    matches!(url.scheme(), "http" | "https")
        && url.host_str().is_some()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}

#[cfg(test)]
mod tests {
    use mosaic_types::settings::Settings;

    use super::*;

    fn fetch(source: &TokenSource) -> Result<Secret, String> {
        match source {
            TokenSource::Variable(name) if name == "TELEGRAM_TOKEN" => Ok(Secret::new("123:abc")),
            TokenSource::File(path) if path == "tokens/other" => Ok(Secret::new("no token")),
            _ => Err("this environment variable is not set".into()),
        }
    }

    fn read(name: &str, text: &str) -> Result<ChannelConfig, String> {
        let settings = Settings::parse(text, "config.toml").expect("valid TOML");
        let config = ChannelConfig::read(name, &settings.root(), &fetch);
        let told = settings.finish().map_err(|mistakes| mistakes.to_string());
        told.map(|_| config.expect("without mistakes there is a channel"))
    }

    #[test]
    fn a_short_table_has_every_default_and_a_full_one_is_read() {
        let short = read("family", "kind = \"telegram\"\ntoken_env = \"TELEGRAM_TOKEN\"").expect("good");
        assert_eq!((short.account().as_str(), short.mention, short.allow.len()), ("123", true, 0));
        assert_eq!((short.api_url.as_str(), short.poll), ("https://api.telegram.org", POLL));
        assert_eq!((short.catch_up, short.context, short.files, short.names), (CATCH_UP, 0, false, true));
        let full = read(
            "family",
            "kind = \"telegram\"\ntoken_env = \"TELEGRAM_TOKEN\"\nagent = \"poet\"\nallow = [\"user:1\", \"chat:-5\"]\n\
             mention = false\napi_url = \"http://127.0.0.1:8081/\"\npoll = \"5s\"\ncatch_up = \"2h\"\n",
        )
        .expect("good");
        assert_eq!(full.agent.as_ref().map(AgentName::as_str), Some("poet"));
        assert_eq!(full.allow, [Mark::User("1".into()), Mark::Chat("-5".into())]);
        assert_eq!((full.mention, full.api_url.as_str()), (false, "http://127.0.0.1:8081"));
        assert_eq!(full.catch_up, Duration::from_secs(7_200));
        assert!(!format!("{full:?}").contains("abc"), "a token is not shown");
    }

    #[test]
    fn a_platform_that_calls_is_known_by_a_secret_that_is_the_same_after_a_start() {
        let table = "kind = \"telegram\"\ntoken_env = \"TELEGRAM_TOKEN\"\n";
        let polled = read("family", table).expect("good");
        assert_eq!((polled.hook_url(), polled.hook_secret()), (None, None));
        let table = format!("{table}webhook_url = \"https://bot.example.org/\"\n");
        let [one, again, other] = ["family", "family", "work"].map(|name| read(name, &table).expect("good"));
        assert_eq!(one.hook_url().as_deref(), Some("https://bot.example.org/hooks/family"));
        assert_eq!(one.hook_secret(), again.hook_secret());
        assert_ne!(one.hook_secret(), other.hook_secret());
        assert!(one.hook_secret().is_some_and(|secret| secret.len() == 64 && !secret.contains("abc")));
    }

    #[test]
    fn what_is_wrong_with_a_channel_is_told_with_what_would_be_right() {
        let told = |name: &str, text: &str| read(name, text).expect_err("something is wrong");
        assert_eq!(
            told("family", "kind = \"telegramm\"\ntoken_evn = \"X\"\nallow = [\"ada\"]\n"),
            "config.toml: token_env: not set; name the environment variable that holds the bot's token, or a \
             \"token_file\"\n\
             config.toml:1: kind: found \"telegramm\"; this build knows \"discord\", \"telegram\"\n\
             config.toml:2: token_evn: unknown key; did you mean \"token_env\"?\n\
             config.toml:3: allow: found \"ada\"; an entry is user:ID, role:ID, guild:ID or chat:ID, as in \"user:123\""
        );
        for bad in ["http://bot.example.org", "bot.example.org", "https://bot.example.org?x=1"] {
            let table = format!("kind = \"telegram\"\ntoken_env = \"TELEGRAM_TOKEN\"\nwebhook_url = \"{bad}\"\n");
            assert!(told("family", &table).contains("the https address at which"), "{bad}");
        }
        let discord = told(
            "family",
            "kind = \"discord\"\ntoken_env = \"TELEGRAM_TOKEN\"\nwebhook_url = \"https://bot.example.org\"\n",
        );
        assert!(discord.contains("discord is not asked to call"), "{discord}");
        let good = "kind = \"telegram\"\ntoken_env = \"TELEGRAM_TOKEN\"\n";
        let threads = told("family", &format!("{good}thread_after = 3\n"));
        assert!(threads.contains("telegram has no threads that a bot opens"), "{threads}");
        assert!(told("api", good).contains("is a way in of Mosaic's own"));
        let other = told("family", "kind = \"telegram\"\ntoken_file = \"tokens/other\"\n");
        assert!(other.contains("no token of telegram") && other.contains("BotFather"), "{other}");
    }

    #[test]
    fn only_a_plain_origin_is_a_good_one() {
        assert!(is_plain("https://discord.com") && is_plain("http://127.0.0.1:8081/base"));
        for bad in ["", "discord.com", "ftp://x", "https://me:pw@host", "https://host?x=1", "https://host#x"] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
