//! Files that come with messages.

use std::sync::Arc;

use mosaic_types::attachment::rows;
use mosaic_types::journal::{AcceptTurn, Outcome, Write};
use mosaic_types::page::Limit;
use mosaic_types::{Attachment, AttachmentId, AttachmentRow, EventBody, Seq, SessionId, limits};
use uuid::Uuid;

use super::hand::{Hand, session};
use crate::Store;

fn file(number: u128, name: &str, media_type: &str, data: &[u8]) -> Attachment {
    let row = AttachmentRow {
        id: AttachmentId(Uuid::from_u128(number)),
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        size_bytes: data.len() as u64,
    };
    Attachment { row, data: data.into() }
}

/// Notes of some bytes, and a picture with bytes of every value.
fn two_files() -> Arc<[Attachment]> {
    let all: Vec<u8> = (0..=255).collect();
    [file(7, "notes \u{e4}.txt", "text/plain", b"first\nsecond"), file(3, "dot.png", "image/png", &all)].into()
}

fn with_files(hand: &Hand, number: u8, files: &Arc<[Attachment]>) -> Write {
    Write::Accept(Box::new(AcceptTurn { attachments: files.clone(), ..hand.accept(number, true) }))
}

async fn listed(hand: &Hand, id: &SessionId) -> Vec<Vec<AttachmentRow>> {
    let page = hand.store.messages(id, None, Limit::default()).await.expect("reads");
    let latest = hand.store.latest(id, Seq::MAX, Limit::default()).await.expect("reads");
    assert_eq!(page.items, latest);
    page.items.into_iter().map(|message| message.attachments).collect()
}

pub async fn files_are_stored_once_with_their_message(store: Arc<dyn Store>) {
    let (hand, files) = (Hand::on(store).await, two_files());
    let shown = rows(&files).to_vec();
    let events = hand.events_of(with_files(&hand, 1, &files)).await;
    let told = EventBody::TurnAccepted { text: "question 1".into(), attachments: shown.clone() };
    assert_eq!(events[0].body, told, "what is in them is not in the journal");
    let again = hand.write(with_files(&hand, 1, &files)).await;
    assert!(matches!(again, Outcome::Duplicate { same_body: true, .. }), "{again:?}");
    for file in files.iter() {
        let stored = hand.store.attachment(&hand.session, file.row.id).await.expect("reads");
        assert_eq!(stored.as_ref(), Some(file));
    }
    let elsewhere = hand.store.attachment(&session("s2"), files[0].row.id).await.expect("reads");
    assert_eq!(elsewhere, None, "the id of a file is worth something in its session only");
    let open = hand.store.snapshot(&hand.session, 10_000).await.expect("reads").expect("is there").open;
    assert_eq!(open[0].said[0].files.to_vec(), shown, "a turn that was cut off has them again");
    hand.answer(1, None).await;
    hand.ask(3, true).await;
    assert_eq!(listed(&hand, &hand.session).await, [shown.clone(), vec![], vec![]]);
    let context = hand.store.snapshot(&hand.session, 10_000).await.expect("reads").expect("is there").context;
    assert_eq!(context[0].files.to_vec(), shown);
    assert!(context[1].files.is_empty());
}

pub async fn files_count_as_a_part_of_the_context(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    hand.events_of(with_files(&hand, 1, &two_files())).await;
    hand.answer(1, None).await;
    let context =
        async |bytes| hand.store.snapshot(&hand.session, bytes).await.expect("reads").expect("is there").context;
    assert_eq!(context(1_000).await, [], "a picture is more than that");
    assert_eq!(context(10_000).await.len(), 2);
}

pub async fn a_fork_keeps_the_files_and_a_removed_session_takes_its_own_along(store: Arc<dyn Store>) {
    let (hand, files) = (Hand::on(store).await, two_files());
    hand.events_of(with_files(&hand, 1, &files)).await;
    hand.answer(1, None).await;
    let fork = super::back::fork(&hand, "s2", None);
    hand.events_of(fork).await;
    hand.events_of(Write::Delete { session: hand.session.clone() }).await;
    assert_eq!(hand.store.attachment(&hand.session, files[0].row.id).await.expect("reads"), None);
    let kept = hand.store.attachment(&session("s2"), files[1].row.id).await.expect("reads");
    assert_eq!(kept.as_ref(), Some(&files[1]));
    assert_eq!(listed(&hand, &session("s2")).await, [rows(&files).to_vec(), vec![]]);
}

pub async fn a_fork_takes_over_so_much_and_no_more(store: Arc<dyn Store>) {
    let hand = Hand::on(store).await;
    let large = |number: u8| -> Arc<[Attachment]> {
        [file(u128::from(number), "a.png", "image/png", &vec![number; limits::PICTURE_BYTES])].into()
    };
    let most = u8::try_from(limits::FORKED_BYTES / limits::PICTURE_BYTES as i64).expect("a dozen");
    for number in 1..=most + 1 {
        hand.events_of(with_files(&hand, number, &large(number))).await;
        hand.answer(number, None).await;
    }
    let all = hand.write(super::back::fork(&hand, "all", None)).await;
    assert_eq!(all, Outcome::TooLarge);
    assert_eq!(hand.store.session(&session("all")).await.expect("reads"), None, "nothing was made");
    let last = hand.store.messages(&hand.session, None, Limit::default()).await.expect("reads").items;
    let before = last.iter().rev().nth(2).expect("an answer").seq;
    hand.events_of(super::back::fork(&hand, "less", Some(before))).await;
    let row = AttachmentId(Uuid::from_u128(1));
    assert!(hand.store.attachment(&session("less"), row).await.expect("reads").is_some());
}
