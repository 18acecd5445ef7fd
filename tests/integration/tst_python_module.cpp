// SPDX-License-Identifier: MIT
// Runs programs/module_checks.py, lifetime_checks.py, package_checks.py and cpython_checks.py, one
// of their functions a test.
#include <QtTest>

#include "service_fixture.h"

using namespace snakepit::shm::test;

class PythonModule : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { QVERIFY(service_.start()); }
    void behaves_data();
    void behaves();

  private:
    Service service_;
};

void PythonModule::behaves_data() {
    QTest::addColumn<QString>("program");
    QTest::addColumn<QString>("check");
    for (const auto* check :
         {"writes_are_seen_by_a_second_mapping", "read_only_views_refuse_writes",
          "closing_waits_for_arrays_and_views", "dropping_a_region_keeps_its_arrays_alive",
          "errors_carry_code_and_type", "a_forked_child_connects_for_itself", "lists_and_cleans_up",
          "a_second_map_needs_no_round_trip", "locks_exclude_writers_and_share_readers",
          "owners_are_not_threads", "waiting_for_a_lock_lets_other_threads_run",
          "encrypted_regions_are_copies_until_they_are_flushed", "names_are_taken_for_ids",
          "open_is_one_step", "what_is_asked_for_is_read_back",
          "signals_wake_threads_and_selectors", "an_asyncio_program_waits_for_signals"})
        QTest::newRow(check) << "module_checks.py" << check;
    for (const auto* check :
         {"closing_ends_a_wait_for_a_lock", "closing_ends_maps", "closing_ends_views",
          "closing_ends_allocations", "closing_ends_lists_and_infos",
          "closing_ends_reads_and_writes", "closing_ends_locks_and_names",
          "views_may_be_released_in_any_order", "closing_a_client_does_all_or_nothing",
          "a_block_keeps_its_own_exception", "ctrl_c_ends_a_wait", "handlers_run_during_a_wait",
          "a_wait_keeps_its_place_and_its_timeout", "interrupted_waits_leave_nothing_behind",
          "arguments_are_checked", "the_interpreter_ends_in_any_order"})
        QTest::newRow(check) << "lifetime_checks.py" << check;
    for (const auto* check :
         {"the_other_side_gets_the_array_as_it_was_made", "memory_stays_while_anything_looks_at_it",
          "a_region_in_a_cycle_is_collected",
          "tensors_are_refused_where_they_would_end_the_process", "a_region_travels_by_reference",
          "tasks_exclude_each_other", "a_cancelled_wait_leaves_the_queue",
          "data_ready_in_an_event_loop", "shared_memory_is_a_drop_in",
          "shareable_lists_and_managers", "a_killed_creator_leaves_no_block"})
        QTest::newRow(check) << "package_checks.py" << check;
    for (const auto* method : {"fork", "spawn", "forkserver"})
        QTest::newRow(method) << "cpython_checks.py" << method;
}

void PythonModule::behaves() {
    QFETCH(QString, program);
    QFETCH(QString, check);
    const auto result = service_.python(program, {check})->wait();
    QVERIFY2(result.status == 0, qPrintable(result.out + result.err));
    if (result.out.startsWith("SKIP")) QSKIP(qPrintable(result.out));
}

QTEST_GUILESS_MAIN(PythonModule)
#include "tst_python_module.moc"
