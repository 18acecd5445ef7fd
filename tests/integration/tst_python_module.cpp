// SPDX-License-Identifier: MIT
// Runs programs/module_checks.py, one of its functions a test.
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
    QTest::addColumn<QString>("check");
    for (const auto* check :
         {"writes_are_seen_by_a_second_mapping", "read_only_views_refuse_writes",
          "closing_waits_for_arrays_and_views", "dropping_a_region_keeps_its_arrays_alive",
          "errors_carry_code_and_type", "a_forked_child_connects_for_itself", "lists_and_cleans_up",
          "a_second_map_needs_no_round_trip", "locks_exclude_writers_and_share_readers",
          "waiting_for_a_lock_lets_other_threads_run",
          "encrypted_regions_are_copies_until_they_are_flushed"})
        QTest::newRow(check) << check;
}

void PythonModule::behaves() {
    QFETCH(QString, check);
    const auto result = service_.python("module_checks.py", {check})->wait();
    QVERIFY2(result.status == 0, qPrintable(result.err));
}

QTEST_GUILESS_MAIN(PythonModule)
#include "tst_python_module.moc"
