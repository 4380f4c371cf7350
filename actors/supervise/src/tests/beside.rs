//! Model and supervisors side by side: the same tree, the same accidents, the same clock, and so the same life.

use super::*;

use std::sync::Mutex;

use proptest::prelude::{Just, ProptestConfig, Strategy as _, any, prop, prop_oneof, proptest};

use crate::model::{Line, Model, PERIOD, Plan, REST};

/// What happens to the tree; a number picks among those that are there.
#[derive(Debug, Clone)]
enum Step {
    /// A leaf panics.
    Crash(usize),
    /// A leaf fails, with a word.
    Fail(usize),
    /// A leaf stops of itself.
    Stop(usize),
    /// A supervisor below the root panics.
    Topple(usize),
    /// Time passes, in milliseconds.
    Pass(u64),
}

type Log = Arc<Mutex<Vec<Line>>>;

/// Notes its starts and its ends.
struct Leaf {
    number: usize,
    log: Log,
    began: Instant,
    tether: Tether,
}

impl Leaf {
    fn note(log: &Log, began: Instant, leaf: usize, life: Option<u64>) {
        let at = u64::try_from(began.elapsed().as_millis()).expect("tests are short");
        log.lock().expect("nobody panics with it").push(Line { at, leaf, life });
    }
}

impl Actor for Leaf {
    type Context = Context<Self>;
    fn stopped(&mut self, _: &mut Self::Context) {
        Self::note(&self.log, self.began, self.number, None);
    }
}
supervised!(Leaf);

impl Handler<Do> for Leaf {
    type Result = u64;
    fn handle(&mut self, order: Do, ctx: &mut Self::Context) -> u64 {
        match order {
            Do::Panic => panic!("as told"),
            Do::Fail => self.tether.fail("as told"),
            Do::Stop | Do::Answer => {}
        }
        ctx.stop();
        0
    }
}

/// What the numbers of the model stand for.
enum Real {
    Leaf(Link<Leaf>),
    Home(Parent),
}

struct Grove {
    real: Vec<Real>,
    log: Log,
    began: Instant,
}

impl Grove {
    fn scope(each: bool, restarts: usize) -> Scope {
        let budget = Budget { restarts, period: Duration::from_millis(PERIOD), rest: Duration::from_millis(REST) };
        if each { Scope::Each(budget) } else { Scope::Shared(budget) }
    }

    fn plant(plan: &Plan, told: mpsc::UnboundedSender<Arc<str>>) -> Self {
        let mut grove = Self { real: Vec::new(), log: Log::default(), began: Instant::now() };
        let Plan::Home { strategy, each, forgiven, kids, .. } = plan else { unreachable!("the root is a home") };
        let scope = Self::scope(*each, *forgiven);
        let root = Supervisor::start_root_with("0", scope, *strategy, 0, move |why| drop(told.send(why)));
        grove.real.push(Real::Home(root.clone()));
        kids.iter().for_each(|kid| grove.grow(kid, &root));
        grove
    }

    fn grow(&mut self, plan: &Plan, parent: &Parent) {
        let number = self.real.len();
        match plan {
            Plan::Leaf(restart) => {
                let (log, began) = (self.log.clone(), self.began);
                let spec = ChildSpec::new(number.to_string(), *restart, Mailbox::default(), move |birth| {
                    Leaf::note(&log, began, number, Some(birth.incarnation));
                    Leaf { number, log: log.clone(), began, tether: birth.tether }
                });
                self.real.push(Real::Leaf(parent.adopt(spec)));
            }
            Plan::Home { restart, strategy, each, forgiven, kids } => {
                let spec = SupervisorSpec::new(number.to_string(), Self::scope(*each, *forgiven))
                    .strategy(*strategy)
                    .restart(*restart)
                    .seed(number as u64);
                let home = spec.parent();
                self.real.push(Real::Home(home.clone()));
                kids.iter().for_each(|kid| self.grow(kid, &home));
                parent.adopt_supervisor(spec);
            }
        }
    }

    /// Lines of one home's own leaves: across homes, those of one millisecond may come in another order.
    fn lines(&self) -> Vec<Line> {
        self.log.lock().expect("nobody panics with it").clone()
    }
}

/// State, life and kind of every node that is to be seen, by number.
fn census(view: &ChildView, seen: &mut Vec<(usize, ChildState, u64)>) {
    let number = view.name.parse().expect("names are numbers");
    seen.push((number, view.state, view.incarnation));
    view.children().iter().for_each(|child| census(child, seen));
}

fn expected(model: &Model) -> Vec<(usize, ChildState, u64)> {
    let nodes = model.nodes.iter().enumerate();
    nodes
        .filter(|(id, node)| node.state != ChildState::Gone && model.shown(*id))
        .map(|(id, node)| (id, node.state, node.lives))
        .collect()
}

/// The lines of each home, in order.
fn by_home(model: &Model, lines: &[Line]) -> std::collections::BTreeMap<usize, Vec<Line>> {
    let mut homes = std::collections::BTreeMap::<_, Vec<_>>::new();
    for line in lines {
        homes.entry(model.home_of(line.leaf)).or_default().push(line.clone());
    }
    for lines in homes.values_mut() {
        for tie in lines.chunk_by_mut(|a, b| a.at == b.at).filter(|lines| model.ties.contains(&lines[0].at)) {
            tie.sort_by_key(|line| line.leaf);
        }
    }
    homes
}

async fn play(plan: Plan, steps: Vec<Step>) {
    let (told, mut heard) = mpsc::unbounded_channel();
    let (mut model, grove) = (Model::new(&plan), Grove::plant(&plan, told));
    let root = match &grove.real[0] {
        Real::Home(root) => root.clone(),
        Real::Leaf(_) => unreachable!("the root is a home"),
    };
    for (number, step) in [Step::Pass(1)].into_iter().chain(steps).enumerate() {
        let pick = |n: usize, homes: bool| {
            let there: Vec<_> =
                (1..model.nodes.len()).filter(|id| model.is_home(*id) == homes && model.is_up(*id)).collect();
            (!there.is_empty()).then(|| there[n % there.len()])
        };
        let (who, order) = match step {
            Step::Crash(n) => (pick(n, false), Some(Do::Panic)),
            Step::Fail(n) => (pick(n, false), Some(Do::Fail)),
            Step::Stop(n) => (pick(n, false), Some(Do::Stop)),
            Step::Topple(n) => (pick(n, true), None),
            Step::Pass(_) => (None, None),
        };
        if let Some(who) = who {
            match (&grove.real[who], order) {
                (Real::Leaf(link), Some(order)) => {
                    model.end(who, matches!(order, Do::Stop));
                    link.control(order).expect("the model says it lives");
                }
                (Real::Home(home), _) => {
                    model.end(who, false);
                    home.link().control(Control::Panic).expect("the model says it lives");
                }
                (Real::Leaf(_), None) => unreachable!("leaves have orders"),
            }
        }
        let mut millis = if let Step::Pass(millis) = step { millis.max(1) } else { 1 };
        // At the very moment of a timer either order is right.
        while model.due_in(millis) {
            millis += 1;
        }
        model.pass(millis);
        tokio::time::sleep(Duration::from_millis(millis)).await;
        assert_eq!(by_home(&model, &grove.lines()), by_home(&model, &model.log), "step {number}: {step:?} at {who:?}");
        assert_eq!(heard.try_recv().is_ok(), model.gave_up, "step {number}: {step:?} at {who:?}");
        if model.gave_up {
            return;
        }
        let mut seen = Vec::new();
        census(&root.tree().await, &mut seen);
        seen.sort_unstable_by_key(|(id, ..)| *id);
        assert_eq!(seen, expected(&model), "step {number}: {step:?} at {who:?}");
    }
}

fn restart() -> impl proptest::strategy::Strategy<Value = Restart> {
    prop_oneof![3 => Just(Restart::Permanent), 2 => Just(Restart::Transient), 1 => Just(Restart::Temporary)]
}

fn home(
    kid: impl proptest::strategy::Strategy<Value = Plan> + 'static,
) -> impl proptest::strategy::Strategy<Value = Plan> {
    let strategy = prop_oneof![Just(Strategy::OneForOne), Just(Strategy::OneForAll), Just(Strategy::RestForOne)];
    let each = prop_oneof![3 => Just(false), 1 => Just(true)];
    (restart(), strategy, each, 0..5_usize, prop::collection::vec(kid, 1..5))
        .prop_map(|(restart, strategy, each, forgiven, kids)| Plan::Home { restart, strategy, each, forgiven, kids })
}

fn tree() -> impl proptest::strategy::Strategy<Value = Plan> {
    let low = prop_oneof![4 => restart().prop_map(Plan::Leaf), 1 => home(restart().prop_map(Plan::Leaf))];
    home(prop_oneof![2 => restart().prop_map(Plan::Leaf), 1 => home(low)])
}

fn step() -> impl proptest::strategy::Strategy<Value = Step> {
    prop_oneof![
        6 => any::<usize>().prop_map(Step::Crash),
        2 => any::<usize>().prop_map(Step::Fail),
        1 => any::<usize>().prop_map(Step::Stop),
        1 => any::<usize>().prop_map(Step::Topple),
        3 => (1..60_u64).prop_map(Step::Pass),
        1 => (60..4_000_u64).prop_map(Step::Pass),
    ]
}

proptest! {
    // A failing case is printed whole and made small: plan and steps are the replay.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn supervisors_live_as_the_model_does(plan in tree(), steps in prop::collection::vec(step(), 1..40)) {
        hush();
        exactly(play(plan, steps));
    }
}
