//! The house in the test's own process, for faults that can be planted only from inside.

use mosaic::app::App;
use mosaic::config::{Config, Env};
use mosaic::gateway::{Principals, Server, hash_of, serve};
use mosaic::outside;
use mosaic_supervise::{ChildView, Control};
use mosaic_testkit::provider::Builder;

use super::{Api, Testbed, eventually, soon};

/// The token that the house is opened with.
const TOKEN: &str = "the-token-of-a-test";

/// A running house with its listener.
pub(crate) struct Inside {
    pub(crate) bed: Testbed,
    pub(crate) app: App,
    server: Server,
}

impl Inside {
    /// Starts every actor and the listener. Wants an actix system.
    pub(crate) async fn start(model: Builder) -> Self {
        let bed = Testbed::asleep(model);
        let config = Config::load(None, bed.home(), &Env::default()).expect("the settings are good");
        let app = App::start(&config, &Env::default(), outside::system()).await.expect("the house starts");
        let principals = Principals::new(outside::system());
        principals.admit(hash_of(TOKEN), None, app.owner(), None);
        let server = serve(app.gate(principals), &config.gateway).expect("a port is free");
        Self { bed, app, server }
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(self.server.address, TOKEN)
    }

    /// What the tree shows of a child of `parent`, which is `root` or below it.
    pub(crate) async fn view(&self, parent: &str, child: &str) -> Option<ChildView> {
        let root = self.app.root.tree().await;
        let below = root.children().iter().find(|view| &*view.name == parent).cloned();
        let parent = if parent == "root" { Some(root) } else { below };
        parent?.children().iter().find(|view| &*view.name == child).cloned()
    }

    /// Makes a child panic.
    pub(crate) async fn order(&self, parent: &str, child: &str) {
        let path = if parent == "root" { child.to_owned() } else { format!("{parent}/{child}") };
        assert!(self.app.root.order(&path, Control::Panic).await, "{child} heard the order");
    }

    /// Makes a child panic, and waits until it lives again.
    pub(crate) async fn panic(&self, parent: &str, child: &str) {
        let before = self.view(parent, child).await.expect("the child lives").incarnation;
        self.order(parent, child).await;
        eventually(&format!("{child} lives again"), || async {
            self.view(parent, child).await.filter(|view| view.incarnation > before)
        })
        .await;
    }

    /// How often each child of the house was started, but for the one named.
    pub(crate) async fn lives_of_others(&self, than: &str) -> Vec<(String, u64)> {
        let root = self.app.root.tree().await;
        let all = root.children().iter().flat_map(|child| std::iter::once(child).chain(child.children()));
        all.filter(|view| &*view.name != than).map(|view| (view.name.to_string(), view.incarnation)).collect()
    }

    /// Stops the house.
    pub(crate) async fn stop(self) {
        soon("every actor stops", self.app.stop()).await;
        soon("the listener stops", self.server.stop()).await;
    }
}
