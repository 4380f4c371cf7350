//! The house in the test's own process, for faults that can be planted only from inside.

use mosaic::app::App;
use mosaic::config::{Config, Env};
use mosaic::gateway::{Principals, Server, hash_of, serve};
use mosaic::outside;
use mosaic_supervise::{ChildView, Control, Parent};
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
        let principals = Principals::default();
        principals.admit(hash_of(TOKEN), None, app.owner());
        let server = serve(app.gate(principals), &config.gateway).expect("a port is free");
        Self { bed, app, server }
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(self.server.address, TOKEN)
    }

    fn parent(&self, name: &str) -> &Parent {
        let found = self.app.parents.iter().find(|(parent, _)| *parent == name);
        &found.expect("a supervisor of that name").1
    }

    /// What the tree shows of a child.
    pub(crate) async fn view(&self, parent: &str, child: &str) -> Option<ChildView> {
        self.parent(parent).tree().await.into_iter().find(|view| &*view.name == child)
    }

    /// Makes a child panic.
    pub(crate) async fn order(&self, parent: &str, child: &str) {
        assert!(self.parent(parent).order(child, Control::Panic).await, "{child} heard the order");
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
        let mut lives = Vec::new();
        for (_, parent) in &self.app.parents {
            let views = parent.tree().await.into_iter().filter(|view| &*view.name != than);
            lives.extend(views.map(|view| (view.name.to_string(), view.incarnation)));
        }
        lives
    }

    /// Stops the house.
    pub(crate) async fn stop(self) {
        soon("every actor stops", self.app.stop()).await;
        soon("the listener stops", self.server.stop()).await;
    }
}
