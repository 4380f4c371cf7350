//! What every channel does, whatever its platform: one suite, run over a stand-in of each, on real sockets.
//!
//! A channel passes by a [`Stand`](stand::Stand) of its platform and one line at the end of this file.

mod desk;
mod discord;
mod office;
mod stand;
mod suite;
mod telegram;

/// Runs the suite over a stand.
macro_rules! channel_contract {
    ($platform:ident: $stand:ty) => {
        $crate::channel_contract! { $platform: $stand =>
            what_is_said_to_us_is_taken_in_and_answered_once
            what_is_told_twice_is_one_input
            a_stop_that_is_told_again_stops_nothing_later
            a_message_that_was_cut_off_after_it_was_taken_is_seen_once
            a_pause_of_149_seconds_delays_the_answer_and_loses_nothing
            a_long_answer_comes_in_order_and_whole
            a_conversation_that_is_closed_ends_after_one_call_and_no_other_does
            a_thousand_strangers_cost_three_codes_and_no_input
            a_stop_in_mid_answer_is_heard_and_its_end_stands_in_place_of_the_answer
            what_must_go_out_is_refused_beyond_a_bound
        }
    };
    ($platform:ident: $stand:ty => $($case:ident)+) => {
        mod $platform {
            $(#[actix::test]
            async fn $case() {
                crate::suite::$case::<$stand>().await;
            })+
        }
    };
}

pub(crate) use channel_contract;

channel_contract!(on_telegram: crate::telegram::Stand);
channel_contract!(on_discord: crate::discord::Stand);
