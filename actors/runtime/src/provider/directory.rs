//! The providers there are, with what the config says of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use mosaic_messages::{AcquirePermit, CallEnded, CallResult, Permit};
use mosaic_providers::{ChatStream, Provider, ProviderError};
use mosaic_supervise::{ChildSpec, Link, Parent, Restart};
use mosaic_types::{ChatRequest, Code, Failure, ModelRef, Price, ProviderName, Timestamp};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::actor::{Places, ProviderActor};
use super::keys::{KeyRing, KeyState};
use super::rate::Limits;
use crate::doors::unreached;
use crate::meters::{CallMeter, Decision, Decisions};
use crate::recent::Calls;

/// What the config says of a provider.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Calls under way at once, at the most.
    pub max_in_flight: usize,
    /// For so long nothing may come while a call is under way.
    pub idle: Duration,
    pub models: HashMap<Arc<str>, ModelFacts>,
    /// Calls and tokens a minute, at the most.
    pub limits: Limits,
}

/// What is known of a model; what is not known is `None`, never guessed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ModelFacts {
    /// Tokens that the model reads at once.
    pub window: Option<usize>,
    /// Tokens of one answer, at the most.
    pub output_tokens: Option<u64>,
    pub price: Option<Price>,
    /// Whether it takes pictures.
    pub vision: Option<bool>,
    /// Whether it calls tools.
    pub tools: Option<bool>,
    /// Whether it reasons before it answers, or can be asked to.
    pub reasoning: Option<bool>,
}

impl ProviderSettings {
    /// What is known of a model of `adapter`: as these settings say, else as the adapter knows.
    pub fn facts(&self, adapter: &dyn Provider, model: &str) -> ModelFacts {
        let said = self.models.get(model).copied().unwrap_or_default();
        let known = adapter.facts(model);
        let window = known.context_tokens.and_then(|tokens| usize::try_from(tokens).ok());
        ModelFacts {
            window: said.window.or(window),
            output_tokens: said.output_tokens.or(known.output_tokens),
            price: said.price.or(known.price),
            vision: said.vision.or(known.vision),
            tools: said.tools.or(known.tools),
            reasoning: said.reasoning.or(known.reasoning),
        }
    }
}

/// How the last call of a provider ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastCall {
    pub at: Timestamp,
    /// `None`: it was answered.
    pub failed: Option<Code>,
}

/// A provider: its adapter, its settings, and the link to its actor.
pub struct ProviderHandle {
    pub adapter: Arc<dyn Provider>,
    pub settings: ProviderSettings,
    pub link: Link<ProviderActor>,
    pub meter: CallMeter,
    /// How its newest calls went.
    pub calls: Calls,
    places: Arc<Places>,
    first_model: OnceCell<Arc<str>>,
    keys: Mutex<KeyRing>,
    decisions: Decisions,
    /// Written once a call, so that health can be told without asking for one.
    last: Mutex<Option<LastCall>>,
}

/// The providers there are; cheap to clone.
#[derive(Clone, Default)]
pub struct Providers {
    by_name: Arc<RwLock<BTreeMap<ProviderName, Arc<ProviderHandle>>>>,
    /// Where one more is hung; `None`: nowhere.
    family: Option<Parent>,
}

impl ProviderHandle {
    /// The model under its own name, where that is known.
    pub fn known_name(&self, model: &ModelRef) -> ModelRef {
        let name = self.first_model.get().filter(|_| model.is_auto()).unwrap_or(&model.model);
        ModelRef { provider: model.provider.clone(), model: name.clone() }
    }

    /// The model's own name, asking the provider for its first one where the name is [`ModelRef::AUTO`].
    ///
    /// # Errors
    /// The provider's, where it had to be asked and could not answer; it is asked again next time.
    pub async fn resolve(&self, model: &ModelRef) -> Result<Arc<str>, ProviderError> {
        if !model.is_auto() {
            return Ok(model.model.clone());
        }
        let first = self.first_model.get_or_try_init(|| async {
            let listed = tokio::time::timeout(self.settings.idle, self.adapter.models()).await;
            let listed = listed.unwrap_or_else(|_| Err(self.stalled()))?;
            listed.into_iter().next().map(|model| Arc::from(model.id)).ok_or_else(|| ProviderError::ModelNotFound {
                provider: self.adapter.name().clone(),
                model: model.model.clone(),
                detail: "it lists no models".to_owned(),
            })
        });
        first.await.cloned()
    }

    /// Leave for one call: at once where there is nothing to decide, else from the provider's actor.
    ///
    /// `asker`: who waits in turn with others, where there is something to wait for. `tokens`: what the call may use.
    ///
    /// # Errors
    /// The model rests or is left alone, all places stay taken, or the provider is down.
    pub async fn permit(&self, model: &Arc<str>, asker: Arc<str>, tokens: u64) -> Result<Permit, Failure> {
        if self.link.down().is_none()
            && let Some(permit) = self.places.take()
        {
            return Ok(permit);
        }
        let _waiting = self.meter.wait();
        let asked = self.link.ask(AcquirePermit { model: model.clone(), asker, tokens }).await;
        asked.unwrap_or_else(|error| Err(unreached(&format!("The provider {}", self.adapter.name()), &error)))
    }

    /// Sends a call. Where the provider has several keys, one that is refused or limited rests, and the next is used at once:
    /// for whoever decides on tries of the model, that is one.
    ///
    /// # Errors
    /// The provider's; where each key was tried, a limit rather than a refusal.
    pub async fn chat(&self, request: ChatRequest) -> Result<ChatStream, ProviderError> {
        if self.ring().is_one() {
            return self.adapter.chat(request).await;
        }
        let (mut tried, mut told) = (Vec::new(), None);
        loop {
            let picked = self.ring().pick(&tried, Instant::now());
            let Some(key) = picked else {
                return Err(told.unwrap_or_else(|| self.stalled()));
            };
            let error = match self.adapter.chat_with(key, request.clone()).await {
                Ok(answer) => {
                    self.ring().taken(key);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let Some(rest) = self.ring().failed(key, &error, Instant::now()) else { return Err(error) };
            self.decisions.made(Decision::KeyRests);
            let (provider, code) = (self.adapter.name(), error.failure().code.as_str());
            let name = self.adapter.keys().get(key).map_or("", String::as_str);
            let rest_ms = u64::try_from(rest.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(provider.name = %provider, key = name, code, rest_ms, "a key rests, and the next one is used");
            tried.push(key);
            if !matches!(told, Some(ProviderError::RateLimited { .. })) {
                told = Some(error);
            }
        }
    }

    /// How its keys stand; none where it has no more than one.
    pub fn keys(&self) -> Vec<KeyState> {
        let ring = self.ring();
        if ring.is_one() { Vec::new() } else { ring.states(self.adapter.keys(), Instant::now()) }
    }

    fn ring(&self) -> MutexGuard<'_, KeyRing> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the provider's actor how a call went; a good one only where that may change anything. `foreseen` and
    /// `used`: its tokens.
    pub fn report(&self, model: Arc<str>, result: CallResult, foreseen: u64, used: u64) {
        if result != CallResult::Answered || self.places.is_watched() {
            let _ = self.link.control(CallEnded { model, result, foreseen, used });
        }
    }

    /// Calls under way.
    pub fn in_flight(&self) -> usize {
        self.settings.max_in_flight.saturating_sub(self.places.free())
    }

    /// Remembers how a call ended.
    pub fn ended(&self, at: Timestamp, failed: Option<Code>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(LastCall { at, failed });
    }

    /// How the last call ended; `None`: there was none since the start.
    pub fn last_call(&self) -> Option<LastCall> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The error of a provider from which nothing came for too long.
    pub fn stalled(&self) -> ProviderError {
        ProviderError::Stalled { provider: self.adapter.name().clone(), idle: self.settings.idle }
    }

    /// What is known of a model: as the config says, else the provider's own list, else the catalogue.
    pub fn facts(&self, model: &str) -> ModelFacts {
        self.settings.facts(&*self.adapter, model)
    }
}

impl Providers {
    /// Starts an actor for each provider under `family`.
    pub fn start(family: &Parent, configured: Vec<(Arc<dyn Provider>, ProviderSettings)>) -> Self {
        let all = Self { by_name: Arc::default(), family: Some(family.clone()) };
        for (adapter, settings) in configured {
            all.add(adapter, settings);
        }
        all
    }

    /// Starts an actor for one more. Answers whether it did: a name that is taken stays whose it is.
    pub fn add(&self, adapter: Arc<dyn Provider>, settings: ProviderSettings) -> bool {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let name = adapter.name().clone();
        let Some(family) = self.family.as_ref().filter(|_| !by_name.contains_key(&name)) else { return false };
        // The permits outlive the actor: a reborn one must not forget the calls that are under way.
        let places = Arc::new(Places::new(settings.max_in_flight, settings.limits));
        let limits = settings.limits;
        let shown = places.clone();
        let child = name.clone();
        let spec = ChildSpec::new(name.as_str(), Restart::Permanent, ProviderActor::MAILBOX, move |birth| {
            ProviderActor::new(child.clone(), places.clone(), limits, birth.tether)
        });
        let adapter_keys = adapter.keys().len();
        let handle = ProviderHandle {
            link: family.adopt(spec),
            meter: CallMeter::new(&name),
            calls: Calls::default(),
            adapter,
            settings,
            places: shown,
            first_model: OnceCell::new(),
            keys: Mutex::new(KeyRing::new(adapter_keys)),
            decisions: Decisions::new(&name),
            last: Mutex::default(),
        };
        by_name.insert(name, Arc::new(handle));
        true
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<ProviderName, Arc<ProviderHandle>>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The provider of that name.
    pub fn get(&self, name: &ProviderName) -> Option<Arc<ProviderHandle>> {
        self.read().get(name).cloned()
    }

    /// Whether a model can be asked for by name, as far as is known without asking its provider.
    ///
    /// # Errors
    /// `model_not_found`, with the providers there are.
    pub fn check(&self, model: &ModelRef) -> Result<(), Failure> {
        if self.get(&model.provider).is_some() {
            return Ok(());
        }
        let known: Vec<_> = self.all().iter().map(|provider| provider.adapter.name().to_string()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let sentence = format!("There is no provider {} for {model}. Those there are: {known}.", model.provider);
        Err(Failure::new(Code::ModelNotFound, sentence))
    }

    /// All, in the order of their names.
    pub fn all(&self) -> Vec<Arc<ProviderHandle>> {
        self.read().values().cloned().collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.read().is_empty()
    }
}
