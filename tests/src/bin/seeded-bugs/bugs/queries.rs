//! Bugs of queries: the builder's, live ones, across stores, projections, documents.

use super::{Bug, bug};

pub(super) const QUERIES: &[Bug] = &[
    bug(
        "left-join-never-null",
        "a negated filter loses the rows to which a left join found none",
        &["it::builder::every_query_is_valid_and_means_the_same_in_rust"],
    ),
    bug(
        "limit-ignored-in-groups",
        "aggregates take in the rows beyond the limit",
        &["it::builder::every_query_is_valid_and_means_the_same_in_rust"],
    ),
    bug(
        "leaving-row-unheard",
        "a live query does not hear of a row that leaves it",
        &["it::live::oracle::live_results_equal_fresh_ones_after_every_commit"],
    ),
    bug(
        "absence-unread",
        "a live left join does not hear of a row that ends an absence",
        &["it::live::shapes::a_row_that_a_left_join_s_condition_rules_out_counts_where_its_absence_does"],
    ),
    // Of many stores: queries across, projections; and documents.
    bug(
        "closed-store-left-out",
        "a query across has no rows of closed stores",
        &["it::across::stores::rows_of_loaded_and_closed_stores_come_in_one_order_each_with_its_store"],
    ),
    bug(
        "offset-in-each-store",
        "an offset of a union is left out of each store's part",
        &["it::builder::union::every_query_of_a_union_means_the_same_in_rust"],
    ),
    bug(
        "limit-ignored-in-union",
        "aggregates of a union take in the rows beyond the limit",
        &["it::builder::union::every_query_of_a_union_means_the_same_in_rust"],
    ),
    bug(
        "missing-store-made",
        "a query across makes the stores that are not there",
        &["it::across::stores::a_store_that_is_not_there_is_reported_and_not_made"],
    ),
    bug(
        "old-tables-read-across",
        "a query across reads tables of an older schema",
        &["it::across::stores::a_store_of_an_older_schema_is_rebuilt_before_it_answers"],
    ),
    bug(
        "commit-not-heard-across",
        "a live query across does not hear of commits",
        &[
            "it::across::live::a_result_follows_commits_of_loaded_stores_and_of_those_that_are_loaded_later",
            "it::across::live::only_stores_whose_rows_can_have_changed_are_read_again",
        ],
    ),
    bug(
        "load-not-followed",
        "stores that are loaded later are not followed",
        &[
            "it::across::live::a_result_follows_commits_of_loaded_stores_and_of_those_that_are_loaded_later",
            "it::projection::reading::it_follows_the_stores_that_are_loaded_and_those_that_come_later",
        ],
    ),
    bug(
        "projection-does-not-follow",
        "a projection does not read on after a commit",
        &["it::projection::reading::it_follows_the_stores_that_are_loaded_and_those_that_come_later"],
    ),
    bug(
        "position-not-kept",
        "a projection forgets how far it has read",
        &[
            "it::projection::reading::every_event_is_taken_over_once_whatever_is_closed_in_between",
            "it::projection::rows::each_row_has_its_source_and_an_event_sees_and_changes_rows_of_its_own_alone",
        ],
    ),
    bug(
        "rewritten-source-not-noticed",
        "a projection reads on in a log that is another one",
        &["it::projection::reading::a_source_whose_log_is_another_one_is_made_anew"],
    ),
    bug(
        "rows-of-gone-source-kept",
        "rows of a source that is gone stay",
        &["it::projection::rows::a_source_that_is_deleted_takes_its_rows_along"],
    ),
    bug(
        "document-change-is-whole",
        "a changed document overwrites fields that somebody else has changed",
        &["it::documents::only_the_fields_that_are_others_are_in_the_event_and_changes_of_different_fields_meet"],
    ),
    bug(
        "equal-queries-not-shared",
        "two equal live queries run twice",
        &["it::live::subscribe::equal_queries_share_one_result_and_dropping_them_frees_it"],
    ),
    bug(
        "new-key-unheard",
        "a live query by key does not hear of the row that comes",
        &["it::live::oracle::live_results_equal_fresh_ones_after_every_commit"],
    ),
    bug(
        "live-wake-up-lost",
        "who waits for a live query is not woken by a commit",
        &["it::live::subscribe::whoever_waits_is_woken_by_a_commit_that_can_affect_the_result"],
    ),
    bug(
        "equal-result-shown-again",
        "a live query shows a result that is the one before",
        &["it::live::subscribe::a_subscription_has_the_current_result_then_each_different_one"],
    ),
];
