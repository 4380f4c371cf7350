//! What holds on every wire.

use mosaic_types::ChatEvent;

/// Reads bytes as an answer; the first of them says in which pieces they come.
pub fn read(wire: &str, data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let mut finished = 0;
    let ended = mosaic_providers::decode::stream(wire, rest.chunks(usize::from(*first).max(1)), |event| {
        assert_eq!(finished, 0, "{event:?} after the end");
        finished += usize::from(matches!(event, ChatEvent::Finished { .. }));
    });
    assert_eq!(ended.is_ok(), finished == 1, "an end without error is a finish: {ended:?}");
}
