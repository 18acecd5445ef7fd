// SPDX-License-Identifier: MIT
// Forked children of programs that have regions mapped.
#include <QtTest>

#include <csignal>

#include "paused.h"
#include "service_fixture.h"

using namespace snakepit::shm::test;

class Fork : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { QVERIFY(service_.start()); }
    void behaves_data();
    void behaves();
    void a_stopped_manager_ends_no_parent();

  private:
    Service service_;
};

void Fork::behaves_data() {
    QTest::addColumn<QString>("check");
    for (const auto* check :
         {"a_child_uses_the_arrays_of_its_parent", "a_pool_of_processes_works_in_place",
          "a_child_holds_references_of_its_own", "its_references_end_with_it",
          "it_outlives_its_parent", "a_grandchild_inherits_too",
          "other_threads_unmap_during_the_fork", "a_child_that_was_not_told_inherits_nothing",
          "unmapping_in_the_child_leaves_the_parent_alone"})
        QTest::newRow(check) << check;
}

void Fork::behaves() {
    QFETCH(QString, check);
    const auto result = service_.python("fork_checks.py", {check})->wait();
    QVERIFY2(result.status == 0, qPrintable(result.err));
}

void Fork::a_stopped_manager_ends_no_parent() {
    const auto program =
        service_.python("fork_checks.py", {"without_a_manager_the_memory_is_out_of_reach"});
    QCOMPARE(program->line(), "ready");
    QVERIFY(pause_process(service_.pid()));
    program->say("go");
    const auto result = program->wait();
    QCOMPARE(::kill(static_cast<pid_t>(service_.pid()), SIGCONT), 0);
    QVERIFY2(result.status == 0, qPrintable(result.err));
}

QTEST_GUILESS_MAIN(Fork)
#include "tst_fork.moc"
