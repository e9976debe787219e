//! Which bugs there are, and which tests must find each.

mod queries;
mod sync;

/// A deliberate fault.
pub(crate) struct Bug {
    /// As in the sources, where `seeded::bug` asks for it.
    pub(crate) name: &'static str,
    pub(crate) breaks: &'static str,
    /// Tests, each of which must fail or hang with the bug: program, module and name.
    pub(crate) found_by: &'static [&'static str],
}

const fn bug(name: &'static str, breaks: &'static str, found_by: &'static [&'static str]) -> Bug {
    Bug { name, breaks, found_by }
}

/// The crash machine on larder as it is: what finds its own lies finds these.
const CRASH: &str = "crash::proof::larder_as_it_is_loses_nothing_where_the_lies_are_found";

/// All of them.
pub(crate) fn all() -> Vec<&'static Bug> {
    STORES.iter().chain(queries::QUERIES).chain(sync::SYNC).collect()
}

/// Those of stores and their registry, in the order of a store's life.
const STORES: &[Bug] = &[
    bug(
        "lock-ignored",
        "two openers of one file",
        &[
            "it::lock::a_second_opener_in_the_same_process_is_refused_with_its_pid",
            "it::killed::a_second_process_is_refused_with_the_pid_of_the_first",
        ],
    ),
    bug(
        "foreign-wal-adopted",
        "another store's `-wal` is taken for this one's",
        &["it::lock::a_wal_beside_a_cleanly_closed_file_is_another_stores_and_is_refused"],
    ),
    bug(
        "missing-wal-ignored",
        "commits are lost without a word with a missing `-wal`",
        &["it::lock::an_unclean_file_without_its_wal_is_reported"],
    ),
    bug(
        "loss-unreported",
        "commits that a damaged `-wal` took along are lost without a word",
        &[
            "it::lost_commits::a_damaged_frame_takes_the_commits_behind_it_along_and_the_load_says_how_many",
            "it::lost_commits::whatever_byte_of_the_wal_is_damaged_and_wherever_it_is_cut_no_commit_is_lost_without_a_word",
            "it::damage::whatever_is_damaged_larder_says_what_the_page_says",
        ],
    ),
    bug(
        "wal-cut-unseen",
        "nobody asks the `-shm` whether the `-wal` was cut",
        &[
            "it::lost_commits::whatever_byte_of_the_wal_is_damaged_and_wherever_it_is_cut_no_commit_is_lost_without_a_word",
            "it::damage::whatever_is_damaged_larder_says_what_the_page_says",
        ],
    ),
    bug(
        "wal-behind-file-taken",
        "what is left of a `-wal` undoes what a checkpoint has moved",
        &["it::moved_wal::damage_to_a_wal_that_is_wholly_in_the_file_loses_nothing"],
    ),
    bug(
        "missing-rows-unseen",
        "the last rows of the log may be missing without a word",
        &["it::corruption::rows_that_a_damaged_page_does_not_show_any_more_are_missed"],
    ),
    bug(
        "index-unverified",
        "`verify` does not look at the indexes",
        &[
            "it::verify::a_damaged_index_is_found_and_the_next_load_rebuilds",
            "it::damage::whatever_is_damaged_larder_says_what_the_page_says",
        ],
    ),
    bug(
        "damage-forgotten",
        "tables that were found damaged are used by the next load",
        &[
            "it::verify::a_changed_row_is_found_and_the_next_load_rebuilds",
            "it::corruption::damaged_tables_stop_the_store_at_first_touch_and_are_rebuilt_by_the_next_load",
        ],
    ),
    bug(
        "catalog-after-file",
        "a crash leaves a file that the catalog does not list",
        &["it::killed::a_store_whose_making_was_killed_opens_as_a_new_one"],
    ),
    bug(
        "fingerprint-ignored",
        "tables of an older schema are used",
        &[
            "it::evolution::a_changed_schema_rebuilds_the_tables_from_the_log_and_old_events_go_through_their_upcasters",
            "it::evolution::a_changed_materializer_rebuilds_by_itself_and_other_docs_do_not",
        ],
    ),
    bug(
        "upcaster-skipped",
        "old events are left out at a rebuild",
        &["it::evolution::a_changed_schema_rebuilds_the_tables_from_the_log_and_old_events_go_through_their_upcasters"],
    ),
    bug(
        "unique-dropped",
        "a unique constraint is not made",
        &["it::rebuild::what_tables_refuse_is_refused_after_a_rebuild_too"],
    ),
    bug(
        "references-off-after-rebuild",
        "references are not checked after a rebuild",
        &["it::rebuild::what_tables_refuse_is_refused_after_a_rebuild_too"],
    ),
    bug(
        "two-transactions",
        "the log is committed before the tables",
        &[
            CRASH,
            "it::commit::a_failed_commit_changes_nothing_gives_the_events_back_and_leaves_the_store_usable",
            "it::durability::a_commit_is_one_transaction_of_the_file_and_it_is_written_when_commit_returns",
        ],
    ),
    bug(
        "tables-before-log",
        "the tables are committed before the log",
        &[CRASH, "it::durability::a_commit_is_one_transaction_of_the_file_and_it_is_written_when_commit_returns"],
    ),
    bug(
        "acknowledged-before-commit",
        "`commit` returns before COMMIT",
        &[
            CRASH,
            "it::reads::a_read_sees_every_commit_that_has_returned",
            "it::durability::a_commit_is_one_transaction_of_the_file_and_it_is_written_when_commit_returns",
        ],
    ),
    bug(
        "failed-commit-kept",
        "a failed commit is not rolled back",
        &[
            "it::commit::a_failed_commit_changes_nothing_gives_the_events_back_and_leaves_the_store_usable",
            "it::materialize::a_half_materialized_event_is_undone_whole",
        ],
    ),
    bug(
        "synchronous-off",
        "a commit does not wait for the disk",
        &[CRASH, "larder::storage::sqlite::tests::a_writer_uses_wal_and_a_reader_sees_what_is_committed"],
    ),
    bug(
        "failed-sync-forgiven",
        "commits go on after a failed sync",
        &[
            "crash::faults::a_commit_refused_by_a_failed_sync_does_not_come_back_after_a_kill",
            "larder::store::tests::a_failed_sync_poisons_the_store_for_writes_until_it_is_reopened",
        ],
    ),
    bug(
        "savepoint-kept",
        "a failed commit's rows stay in its group",
        &["it::group::in_a_group_the_failing_and_the_panicking_commit_fail_alone"],
    ),
    bug(
        "events-given-back-reversed",
        "a failed commit's events come back in another order",
        &["it::commit::a_failed_commit_changes_nothing_gives_the_events_back_and_leaves_the_store_usable"],
    ),
    bug(
        "client-only-numbered-as-synced",
        "a client-only event takes a number of the agreed order",
        &["it::commit::a_commit_takes_one_event_an_array_a_slice_or_a_vec_and_numbers_them"],
    ),
    bug(
        "checksum-unchained",
        "rows of the log are not chained to the row before",
        &["it::log::a_row_of_another_history_of_the_same_store_is_no_row_of_this_one"],
    ),
    bug(
        "rows-unrecorded",
        "changed rows are in no change record",
        &[
            "it::change_record::a_record_has_every_changed_row_of_its_commit",
            "it::live::oracle::live_results_equal_fresh_ones_after_every_commit",
        ],
    ),
    bug(
        "update-unrecorded",
        "updates are not in the change record",
        &["it::change_record::a_record_has_every_changed_row_of_its_commit"],
    ),
    bug(
        "undone-rows-recorded",
        "rows of a failed commit are in the next change record",
        &["it::change_record::what_a_failed_commit_wrote_is_in_no_record"],
    ),
    bug(
        "change-record-not-kept",
        "what an unconfirmed event changed is not in the file",
        &["it::kept_changes::undoing_the_records_newest_first_gives_every_state_that_the_tables_had"],
    ),
    bug(
        "change-records-kept-for-ever",
        "the file grows with the records of confirmed events",
        &["it::kept_changes::a_record_is_in_the_file_from_the_first_quiet_second_on_until_its_event_is_confirmed"],
    ),
    bug(
        "change-record-of-a-failed-commit",
        "the record of an event that was rolled back stays in memory, under a number that another event gets",
        &["it::kept_changes::a_failed_commit_leaves_no_record_and_one_that_changes_no_row_has_an_empty_one"],
    ),
    bug(
        "change-records-lost-at-close",
        "a store that is closed forgets what its unconfirmed events have changed",
        &["it::kept_changes::the_bytes_of_a_record_never_change"],
    ),
    bug(
        "batch-half-taken-back",
        "an event of a rebase that does not materialize leaves the numbers of those before it in the batch",
        &["it::sync::rebase::a_pending_event_that_no_longer_materializes_is_quarantined_and_the_others_go_on"],
    ),
    bug(
        "group-of-one",
        "commits that wait do not share a transaction",
        &["it::group::commits_that_wait_share_one_transaction"],
    ),
    bug(
        "idle-checkpoint-skipped",
        "an idle store leaves its `-wal` to a commit",
        &["larder::store::tests::checkpoints::an_idle_store_moves_its_wal_into_the_file"],
    ),
    bug(
        "background-checkpoint-skipped",
        "a `-wal` past 4 MiB is left to a commit",
        &["larder::store::tests::checkpoints::past_4_mib_the_wal_is_moved_in_the_background"],
    ),
    bug(
        "wake-up-lost",
        "streams do not hear of commits",
        &["it::streams::a_task_that_waits_for_an_event_or_a_change_is_woken_by_a_commit"],
    ),
    bug(
        "snapshot-not-one-state",
        "the queries of one read see different states",
        &[
            "it::reads::read_runs_several_queries_on_one_consistent_state",
            "it::reads::a_snapshot_stays_one_state_while_commits_of_other_threads_go_on",
        ],
    ),
    bug(
        "reads-not-interrupted",
        "an eviction waits for reads",
        &["it::reads::an_eviction_interrupts_a_query_that_runs_for_ever"],
    ),
    bug(
        "waiter-uncounted",
        "whoever waits for a load is no observer",
        &["it::registry::rules_load::rule_02_a_waiter_is_an_observer_from_its_first_poll"],
    ),
    bug(
        "one-waiter-cancels-all",
        "a load ends when one of its waiters leaves",
        &[
            "it::registry::rules_load::rule_05_a_load_is_cancelled_when_its_last_waiter_leaves_never_by_one_of_several",
            "it::registry::draft::draft_a_callers_token_does_not_replace_the_shared_one",
        ],
    ),
    bug(
        "cancelled-load-keeps-file",
        "a cancelled load leaves its file open",
        &["it::registry::rules_load::rule_05_a_cancelled_load_closes_its_file"],
    ),
    bug(
        "second-options-ignored",
        "options of a second caller are dropped in silence",
        &[
            "it::registry::draft::draft_a_second_callers_options_are_not_ignored",
            "it::registry::options::the_same_options_again_are_no_conflict_and_others_are_named",
        ],
    ),
    bug(
        "payload-in-span",
        "a `sync_payload` is in a span",
        &["it::registry::telemetry::every_piece_of_work_has_a_span_with_store_id_counts_and_microseconds"],
    ),
    bug(
        "stale-release",
        "a handle of an earlier load releases the next one",
        &[
            "it::registry::draft::draft_a_stale_release_does_not_hit_a_reloaded_store",
            "it::registry::rules_load::rule_04_a_handle_belongs_to_the_load_it_came_from",
        ],
    ),
    bug(
        "shortest-gc-time",
        "the shortest gc time wins",
        &[
            "it::registry::rules_keep::rule_03_the_longest_gc_time_of_the_period_wins",
            "it::registry::draft::draft_a_later_shorter_gc_time_does_not_shorten",
        ],
    ),
    bug(
        "gc-time-overflows",
        "a long gc time wraps around",
        &["it::registry::rules_keep::rule_03_no_gc_time_panics_or_wraps_and_zero_works"],
    ),
    bug(
        "timer-holds-registry",
        "the timer keeps a dropped registry alive",
        &["it::registry::rules_keep::rule_10_a_dropped_registry_leaves_no_task_and_no_open_file"],
    ),
    bug(
        "timer-holds-store",
        "the timer keeps evicted stores alive",
        &["it::registry::rules_keep::rule_10_an_evicted_store_is_let_go_of_while_the_timer_sleeps"],
    ),
    bug(
        "reopened-before-closed",
        "a store is opened while its file is being closed",
        &[
            "it::registry::rules_load::rule_06_a_store_is_closed_before_it_is_opened_again",
            "it::registry::draft::draft_closing_is_awaited_and_its_error_is_not_swallowed",
        ],
    ),
    bug(
        "unsent-forgotten",
        "the catalog does not know of unsent events",
        &[
            "it::registry::unsent::rule_13_closed_with_unsent_events_it_is_opened_without_on_load_when_the_network_is_back",
        ],
    ),
];
