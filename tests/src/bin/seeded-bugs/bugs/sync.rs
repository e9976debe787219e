//! Bugs of sync: what a page does to a log, the transaction that takes it over, and who pushes and pulls when.

use super::{Bug, bug};

/// Bugs that the simulation finds, too.
const SIMULATION: &str =
    "it::sync::simulation::whatever_fails_all_clients_come_to_one_log_and_to_the_tables_that_it_makes";

pub(super) const SYNC: &[Bug] = &[
    bug(
        "client-only-event-compared",
        "a client-only event before an own one is taken for a conflict",
        &[
            SIMULATION,
            "larder::sync::state::tests::named::a_client_only_event_before_an_own_unechoed_event_and_a_foreign_one_in_one_page",
        ],
    ),
    bug(
        "arrived-event-sent-again",
        "an own event that comes under another number is pushed again",
        &[
            SIMULATION,
            "larder::sync::state::tests::histories::every_history_converges_to_one_log_with_nothing_lost_nothing_twice_and_each_clients_order_kept",
        ],
    ),
    bug(
        "rebase-not-counted",
        "an event that was renumbered looks as if it were not",
        &[SIMULATION, "it::sync::rebase::pending_events_make_room_for_foreign_ones_and_come_back_behind_them"],
    ),
    bug(
        "ids-ignored",
        "own events are known by what they say alone",
        &[
            SIMULATION,
            "it::sync::failing::an_own_event_is_known_by_its_id_whatever_became_of_its_text",
            "larder::sync::state::tests::sameness::ids_decide_where_both_have_one",
        ],
    ),
    bug(
        "undone-rows-uncounted",
        "a row that is not what the record says is passed over",
        &["it::sync::rebase::a_damaged_record_or_a_row_that_is_not_what_it_says_leads_to_a_rebuild"],
    ),
    bug(
        "failed-event-half-applied",
        "what a confirmed event wrote before it failed stays",
        &[SIMULATION, "it::sync::rebase::a_confirmed_event_that_does_not_materialize_stays_in_the_log_and_is_listed"],
    ),
    bug(
        "quarantined-event-dropped",
        "a pending event that no longer materializes is gone without a word",
        &[
            SIMULATION,
            "it::sync::rebase::a_pending_event_that_no_longer_materializes_is_quarantined_and_the_others_go_on",
        ],
    ),
    bug(
        "failed-pending-event-stays",
        "a pending event that a rebuild cannot materialize is pushed to everybody",
        &[
            SIMULATION,
            "it::sync::releases::a_pending_event_that_a_rebuild_cannot_materialize_is_quarantined_and_never_pushed",
            "it::sync::releases::what_failed_before_there_was_a_backend_is_quarantined_when_there_is_one",
        ],
    ),
    bug(
        "arrived-event-stays-quarantined",
        "an event is in the log and in quarantine",
        &[SIMULATION, "it::sync::rebase::an_event_that_arrives_after_all_leaves_the_quarantine"],
    ),
    bug(
        "fewer-events-not-noted",
        "a log that a rebase has shortened is taken for a damaged one",
        &[SIMULATION, "it::sync::rebase::fewer_events_than_before_are_no_damage"],
    ),
    bug(
        "confirmed-head-not-kept",
        "what was confirmed is pending again after a restart",
        &[SIMULATION, "it::sync::rebase::a_rebased_log_is_read_again_after_a_restart"],
    ),
    bug(
        "receipts-not-moved",
        "a receipt is confirmed by another's event in its old place",
        &[
            SIMULATION,
            "it::sync::rebase::a_pending_event_that_no_longer_materializes_is_quarantined_and_the_others_go_on",
        ],
    ),
    bug(
        "stream-not-told-of-rebase",
        "a stream with pending events goes on as if nothing had been undone",
        &[
            SIMULATION,
            "it::sync::streams::a_stream_with_pending_events_takes_back_what_a_rebase_moved_and_shows_it_again",
        ],
    ),
    bug(
        "rebase-taken-for-seen",
        "a live query that keeps rows does not hear of a rebase that ends at a number that it knows",
        &[SIMULATION, "it::sync::streams::a_live_query_is_not_misled_by_a_rebase_that_ends_at_a_number_of_before"],
    ),
    bug(
        "commit-not-pushed",
        "what is committed while a store is in sync stays here",
        &[SIMULATION, "it::sync::processor::what_one_client_commits_another_sees_without_any_time_that_passes"],
    ),
    bug(
        "no-pause-after-a-failure",
        "a backend that fails is asked without a pause",
        &[
            SIMULATION,
            "it::sync::failing::an_idle_store_asks_for_nothing_and_a_failing_one_not_more_often_than_every_15_seconds",
        ],
    ),
    bug(
        "another-log-ignored",
        "events of another log are taken for the next ones of the old",
        &[SIMULATION, "it::sync::failing::another_log_stops_sync_and_keeps_all_data_unless_it_is_as_good"],
    ),
    bug(
        "another-past-taken",
        "a log with other events under the same id is taken for the one of before",
        &[
            "it::sync::other_log::a_log_with_other_events_under_the_same_id_stops_sync_or_is_begun_anew_with",
            "it::sync::other_log::a_log_that_is_another_one_since_a_store_was_closed_is_noticed_before_anything_is_taken_over_or_sent",
        ],
    ),
    bug(
        "page-of-another-log-taken",
        "a page that was asked for before the store knew of a log is taken for one of its log",
        &["larder::store::tests::merging::nothing_is_taken_over_of_another_log_than_that_of_the_confirmed_events"],
    ),
    bug(
        "connected-without-a-pause",
        "a server that is there for a moment only is asked again at once",
        &[SIMULATION, "it::sync::flapping::a_connection_that_does_not_last_is_tried_ever_less_often"],
    ),
];
