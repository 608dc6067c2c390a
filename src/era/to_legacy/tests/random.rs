//! What must hold whatever is said in whatever order: each request of the client has one answer,
//! unless it was cancelled, and each question of the server one, unless it was taken back.

use std::collections::BTreeMap;

use super::super::{
    ToLegacy, Turn,
    transcript::{ACME, check},
};
use crate::{
    message::{Kind, Message},
    time::Now,
};

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn pick<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        if all.is_empty() { None } else { Some(all[self.below(all.len())].clone()) }
    }
}

struct World {
    machine: ToLegacy,
    now: Now,
    dice: Dice,
    next: u64,
    /// The client's requests: how often they were answered, and whether they were cancelled.
    requests: BTreeMap<String, (u32, bool)>,
    /// The same of the server's questions.
    questions: BTreeMap<String, (u32, bool)>,
    /// What the remote has not answered.
    open: Vec<String>,
    /// The states the client was given.
    states: Vec<String>,
    /// The listens that go on.
    listens: Vec<String>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut machine = ToLegacy::new([1; 32], "b-", 720_000);
        machine.listening(true, Now::default(), &mut Vec::new());
        World {
            machine,
            now: Now::default(),
            dice: Dice(seed),
            next: 0,
            requests: BTreeMap::new(),
            questions: BTreeMap::new(),
            open: Vec::new(),
            states: Vec::new(),
            listens: Vec::new(),
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn local(&mut self, text: String) {
        let mut turns = Vec::new();
        self.machine.on_local(Message::parse(text.into()).expect("JSON"), self.now, &mut turns);
        self.see(turns);
    }

    fn core(&mut self, text: String, during: Option<&str>) {
        let mut turns = Vec::new();
        let message = Message::parse(text.into()).expect("JSON");
        self.machine.on_core(message, during, self.now, &mut turns);
        self.see(turns);
    }

    fn see(&mut self, turns: Vec<Turn>) {
        turns.iter().for_each(check);
        for turn in turns {
            match turn {
                Turn::Local(bytes) => self.see_local(&Message::parse(bytes).expect("JSON")),
                Turn::Core(bytes) => self.see_core(&Message::parse(bytes).expect("JSON")),
                Turn::Warn(_) => {}
            }
        }
    }

    fn see_local(&mut self, message: &Message) {
        if message.kind() != Kind::Response {
            return;
        }
        let id = message.id().expect("an id");
        self.requests.get_mut(id).expect("a request of the client's").0 += 1;
        self.listens.retain(|listen| listen != id);
        let state =
            message.result().and_then(|result| crate::message::member(result, "requestState"));
        self.states.extend(state.map(str::to_owned));
    }

    fn see_core(&mut self, message: &Message) {
        match message.kind() {
            Kind::Request => self.open.push(message.id().expect("an id").to_owned()),
            Kind::Response => {
                let question = self.questions.get_mut(message.id().expect("an id"));
                question.expect("a question of the server's").0 += 1;
            }
            Kind::Notification => {
                let gone = message.param("requestId");
                self.open.retain(|id| Some(id.as_str()) != gone);
            }
        }
    }

    fn request(&mut self) {
        let id = self.number().to_string();
        let methods = [
            "tools/call",
            "tools/call",
            "prompts/get",
            "tools/list",
            "server/discover",
            "ping",
            "subscriptions/listen",
        ];
        let method = self.dice.pick(&methods).expect("one");
        let can = [
            "{}",
            r#"{"roots":{}}"#,
            r#"{"elicitation":{"url":{},"form":{}},"roots":{},"sampling":{}}"#,
        ];
        let can = self.dice.pick(&can).expect("one");
        let level = ["", r#","io.modelcontextprotocol/logLevel":"info""#][self.dice.below(2)];
        let retry = match self.dice.pick(&self.states.clone()).filter(|_| self.dice.below(2) == 0) {
            Some(state) => format!(r#","inputResponses":{{}},"requestState":{state}"#),
            None => String::new(),
        };
        let filter =
            r#""notifications":{"toolsListChanged":true,"resourceSubscriptions":["a","b"]}"#;
        if method == "subscriptions/listen" {
            self.listens.push(id.clone());
        }
        self.requests.insert(id.clone(), (0, false));
        self.local(format!(
            r#"{{"id":{id},"method":"{method}","params":{{{filter}{retry},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{can}{level}}}}}}}"#
        ));
    }

    fn cancel(&mut self) {
        let unanswered: Vec<String> = self
            .requests
            .iter()
            .filter(|(_, (answers, _))| *answers == 0)
            .map(|(id, _)| id.clone())
            .collect();
        let Some(id) = self.dice.pick(&unanswered) else { return };
        self.requests.get_mut(&id).expect("a request").1 = true;
        self.listens.retain(|listen| *listen != id);
        self.local(format!(
            r#"{{"method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        ));
    }

    fn answer(&mut self) {
        let Some(id) = self.dice.pick(&self.open) else { return };
        self.open.retain(|open| *open != id);
        let url = r#""error":{"code":-32042,"message":"go","data":{"elicitations":[{"url":"u"}]}}"#;
        let task = r#""result":{"task":{"taskId":"t","status":"working"}}"#;
        let answers = [
            format!(r#""result":{ACME}"#),
            format!(r#""result":{ACME}"#),
            r#""error":{"code":-32601,"message":"no"}"#.to_owned(),
            url.to_owned(),
            task.to_owned(),
        ];
        let answer = self.dice.pick(&answers).expect("one");
        self.core(format!(r#"{{"id":{id},{answer}}}"#), None);
    }

    fn question(&mut self) {
        let id = format!("\"q{}\"", self.number());
        let method = self.dice.pick(&[
            "roots/list",
            "elicitation/create",
            "sampling/createMessage",
            "ping",
            "odd",
        ]);
        self.questions.insert(id.clone(), (0, false));
        let during = self.dice.pick(&self.open).filter(|_| self.dice.below(3) > 0);
        let method = method.expect("one");
        self.core(format!(r#"{{"id":{id},"method":"{method}"}}"#), during.as_deref());
    }

    fn take_back(&mut self) {
        let open: Vec<String> = self
            .questions
            .iter()
            .filter(|(_, (answers, _))| *answers == 0)
            .map(|(id, _)| id.clone())
            .collect();
        let Some(id) = self.dice.pick(&open) else { return };
        self.questions.get_mut(&id).expect("a question").1 = true;
        self.core(
            format!(r#"{{"method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#),
            None,
        );
    }

    fn wait(&mut self, span: u64) {
        self.now.mono += span;
        let mut turns = Vec::new();
        self.machine.tick(self.now, &mut turns);
        self.see(turns);
    }

    /// The remote answers everything, and the client stays away.
    fn settle(&mut self) {
        for _ in 0..200 {
            self.wait(800_000);
            while let Some(id) = self.open.pop() {
                self.core(format!(r#"{{"id":{id},"result":{ACME}}}"#), None);
            }
        }
    }
}

#[test]
fn each_request_has_one_answer_and_so_has_each_question() {
    for seed in 0..100 {
        let mut world = World::new(seed);
        for _ in 0..150 {
            match world.dice.below(10) {
                0..=2 => world.request(),
                3..=5 => world.answer(),
                6 => world.question(),
                7 => world.cancel(),
                8 if world.dice.below(3) == 0 => world.take_back(),
                _ => {
                    let span = world.dice.pick(&[1, 30, 6_000, 800_000]).expect("one");
                    world.wait(span);
                }
            }
        }
        world.settle();
        for (id, (answers, is_cancelled)) in &world.requests {
            let is_listening = world.listens.contains(id);
            let expected = u32::from(!is_cancelled && !is_listening);
            assert_eq!(*answers, expected, "seed {seed}, request {id}");
        }
        for (id, (answers, is_taken_back)) in &world.questions {
            assert_eq!(*answers, u32::from(!is_taken_back), "seed {seed}, question {id}");
        }
        assert!(world.machine.calls.is_empty() && world.machine.waiting.is_empty(), "seed {seed}");
    }
}
