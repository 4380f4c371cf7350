//! What PostgreSQL cannot hold: the character NUL, in text as in documents.
//!
//! It comes from a client that sends it or from a model that says it. Refusing it would fail the end of a turn again
//! and again; so it is stored as the character that stands for what cannot be shown.

use std::sync::Arc;

use mosaic_types::journal::{InboxKey, TurnEnd, Write};
use mosaic_types::outbox::{Conversation, Settled};
use mosaic_types::{EventBody, FinishedTurn, ToolCall, ToolResult};

/// In place of NUL.
const REPLACEMENT: &str = "\u{fffd}";

fn text(text: &mut String) {
    if text.contains('\0') {
        *text = text.replace('\0', REPLACEMENT);
    }
}

fn shared(text: &mut Arc<str>) {
    if text.contains('\0') {
        *text = text.replace('\0', REPLACEMENT).into();
    }
}

/// The key as it is stored.
pub(super) fn key(key: &mut InboxKey) {
    [&mut key.channel, &mut key.account, &mut key.conversation, &mut key.event].into_iter().for_each(shared);
}

/// The conversation as it is stored.
pub(super) fn place(of: &mut Conversation) {
    [&mut of.channel, &mut of.account, &mut of.name].into_iter().for_each(shared);
}

/// Replaces it wherever people or models have a say.
pub(super) fn without_nul(write: &mut Write) {
    match write {
        Write::Accept(accept) => {
            key(&mut accept.inbox);
            shared(&mut accept.text);
            accept.title.as_mut().map(text);
            accept.reply_to.as_mut().map(shared);
        }
        Write::End(end) => {
            match &mut end.end {
                TurnEnd::Finished(finished) => said(finished),
                TurnEnd::Failed { message, text: said, .. } => {
                    text(message);
                    said.as_mut().map(text);
                }
                TurnEnd::Cancelled { text: said } => drop(said.as_mut().map(text)),
            }
            end.steps.iter_mut().for_each(step);
        }
        Write::Step(next) => {
            said(&mut next.said);
            next.parts.iter_mut().for_each(step);
            next.asked.iter_mut().for_each(call);
        }
        Write::Tools(tools) => tools.results.iter_mut().for_each(result),
        Write::Restart(restart) => restart.unknown.iter_mut().for_each(result),
        Write::Part(part) => step(&mut part.event),
        Write::CreateSession(new) => text(&mut new.title),
        Write::Bind { conversation, new } => {
            place(conversation);
            text(&mut new.title);
        }
        Write::Rebind { conversation, .. } => place(conversation),
        Write::KeepPreview { conversation, platform_id, .. } => {
            place(conversation);
            shared(platform_id);
        }
        Write::SettleItem(settle) => match &mut settle.settled {
            Settled::Shown(shown) => drop(shown.platform_id.as_mut().map(text)),
            Settled::Unknown { why } | Settled::Dead { why } => text(why),
            Settled::Calling | Settled::Later { .. } => {}
        },
        Write::Change(change) => text(&mut change.title),
        Write::Fork(fork) => text(&mut fork.new.title),
        Write::Audited { deed, write } => {
            text(&mut deed.subject);
            without_nul(write);
        }
        Write::CreateUser(new) => text(&mut new.name),
        Write::CreateToken(new) => text(&mut new.name),
        _ => {}
    }
}

fn said(finished: &mut FinishedTurn) {
    [&mut finished.text, &mut finished.model, &mut finished.route_reason, &mut finished.stop_reason]
        .into_iter()
        .for_each(text);
}

fn call(call: &mut ToolCall) {
    [&mut call.id, &mut call.name, &mut call.arguments].into_iter().for_each(text);
    call.signature.as_mut().map(text);
}

fn result(result: &mut ToolResult) {
    call(&mut result.call);
    text(&mut result.text);
}

fn step(event: &mut EventBody) {
    if let EventBody::StepFinished { name, part, tool, .. } = event {
        text(name);
        if let Some(tool) = tool {
            text(&mut tool.call);
            text(&mut tool.arguments);
            tool.result.as_mut().map(text);
        }
        part.as_mut().and_then(|part| part.text.as_mut()).map(text);
    }
}
