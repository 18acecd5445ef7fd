// SPDX-License-Identifier: MIT
// What becomes of references when a process ends, changes, splits, sleeps or loses its descriptors.
#include <QJsonArray>
#include <QtTest>
#include <csignal>

#include "keeper.h"
#include "paused.h"
#include "service_fixture.h"

using namespace snakepit::shm::test;

class ProcessFates : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void a_killed_holder_is_not_counted_within_a_second();
    void a_holder_that_becomes_another_program_holds_nothing();
    void a_forked_child_has_a_reference_of_its_own_and_no_connection();
    void the_parents_references_end_with_the_parent_and_the_childs_with_the_child();
    void a_child_that_connects_for_itself_is_counted_for_itself_and_not_as_a_zombie();
    void a_stopped_holder_keeps_its_references();
    void a_holder_without_descriptors_keeps_its_references_and_comes_back();
    void the_owners_death_makes_an_orphan_that_goes_when_nobody_holds_it();
    void the_managers_death_goes_unnoticed_on_the_fast_path();
    void a_deallocated_region_stays_for_those_who_hold_it_and_for_nobody_else();
    void a_region_taken_by_force_reads_as_zeros_until_its_last_holder_goes();

  private:
    QString allocate(const QStringList& more = {}) const;
    std::unique_ptr<Peer> keeper(const QString& id) const;
    int count(const QString& id) const;
    QString state(const QString& id) const;

    std::unique_ptr<Service> service_;
};

namespace {

// Promised: a count falls within a second.
constexpr int kSoon = 1000;
// Long enough for several sweeps of the manager, so that what must not happen would have.
constexpr int kSweeps = 1000;

qint64 child_in(const QString& answer) {
    return answer.split(' ').value(1).toLongLong();
}
QString word_in(const QString& answer) {
    return answer.split(' ').value(2);
}

}  // namespace

void ProcessFates::init() {
    service_ = std::make_unique<Service>();
    service_->host().configure("grace_period = \"200ms\"\ncleanup_interval = \"500ms\"");
    QVERIFY(service_->start());
}

QString ProcessFates::allocate(const QStringList& more) const {
    return service_->cli_json(QStringList{"allocate", "64KiB"} + more).value("id").toString();
}

std::unique_ptr<Peer> ProcessFates::keeper(const QString& id) const {
    return std::make_unique<Peer>(QCoreApplication::applicationFilePath(),
                                  QStringList{"keeper", id},
                                  service_->host().environment(service_->instance()));
}

int ProcessFates::count(const QString& id) const {
    return service_->cli_json({"info", id}).value("reference_count").toInt(-1);
}

QString ProcessFates::state(const QString& id) const {
    return service_->cli_json({"info", id}).value("state").toString();
}

void ProcessFates::a_killed_holder_is_not_counted_within_a_second() {
    const auto id = allocate();
    auto first = keeper(id), second = keeper(id);
    QCOMPARE(first->line(), "ok");
    QCOMPARE(second->line(), "ok");
    QCOMPARE(count(id), 2);
    first->end(SIGKILL);
    QTRY_COMPARE_WITH_TIMEOUT(count(id), 1, kSoon);
    QCOMPARE(second->ask("verify"), "good");
}

void ProcessFates::a_holder_that_becomes_another_program_holds_nothing() {
    const auto id = allocate();
    auto holder = keeper(id);
    QCOMPARE(holder->line(), "ok");
    holder->say("exec");
    QTRY_COMPARE_WITH_TIMEOUT(count(id), 0, kSoon);
    QVERIFY(holder->running());
}

void ProcessFates::a_forked_child_has_a_reference_of_its_own_and_no_connection() {
    const auto id = allocate();
    auto parent = keeper(id);
    QCOMPARE(parent->line(), "ok");
    const auto answer = parent->ask("fork");
    QCOMPARE(word_in(answer), "forked");
    QCOMPARE(count(id), 2);
    ::kill(static_cast<pid_t>(child_in(answer)), SIGKILL);
    QTRY_COMPARE_WITH_TIMEOUT(count(id), 1, kSoon);
    QCOMPARE(parent->ask("unmap"), "ok");
    QTRY_COMPARE_WITH_TIMEOUT(count(id), 0, kSoon);
}

void ProcessFates::the_parents_references_end_with_the_parent_and_the_childs_with_the_child() {
    const auto id = allocate();
    auto parent = keeper(id);
    QCOMPARE(parent->line(), "ok");
    const auto child = child_in(parent->ask("fork"));
    QCOMPARE(count(id), 2);
    parent->end(SIGKILL);
    QTRY_COMPARE_WITH_TIMEOUT(count(id), 1, kSoon);
    QCOMPARE(::kill(static_cast<pid_t>(child), SIGKILL), 0);  // it was alive
    QTRY_COMPARE_WITH_TIMEOUT(count(id), 0, kSoon);
}

void ProcessFates::a_child_that_connects_for_itself_is_counted_for_itself_and_not_as_a_zombie() {
    const auto id = allocate();
    auto parent = keeper(id);
    QCOMPARE(parent->line(), "ok");
    const auto answer = parent->ask("adopt");
    QCOMPARE(word_in(answer), "ok");
    QCOMPARE(count(id), 2);                                 // it gave back what it inherited
    ::kill(static_cast<pid_t>(child_in(answer)), SIGKILL);  // the parent never reaps it
    QTRY_COMPARE_WITH_TIMEOUT(count(id), 1, kSoon);
    QCOMPARE(parent->ask("verify"), "good");
}

void ProcessFates::a_stopped_holder_keeps_its_references() {
    const auto id = allocate();
    auto holder = keeper(id);
    QCOMPARE(holder->line(), "ok");
    QVERIFY(pause_process(holder->pid()));
    QTest::qWait(kSweeps);
    QCOMPARE(count(id), 1);
    QVERIFY(service_->restart_after_kill());
    QTest::qWait(kSweeps);
    QCOMPARE(count(id), 1);
    ::kill(static_cast<pid_t>(holder->pid()), SIGCONT);
    QCOMPARE(holder->ask("verify"), "good");
    QCOMPARE(holder->ask("unmap"), "ok");
    QTRY_COMPARE_WITH_TIMEOUT(count(id), 0, kSoon);
}

void ProcessFates::a_holder_without_descriptors_keeps_its_references_and_comes_back() {
    const auto id = allocate();
    const auto other = allocate();
    auto holder = keeper(id);
    QCOMPARE(holder->line(), "ok");
    QCOMPARE(holder->ask("close"), "ok");
    QTest::qWait(kSweeps);
    QCOMPARE(count(id), 1);
    QVERIFY(service_->restart_after_kill());
    QCOMPARE(count(id), 1);
    QCOMPARE(holder->ask("verify"), "good");
    QCOMPARE(holder->ask("unmap"), "ok");
    QTRY_COMPARE_WITH_TIMEOUT(count(id), 0, kSoon);
    QCOMPARE(service_->cli({"deallocate", id}).status, 0);
    QCOMPARE(holder->ask("map"), "region_not_found");  // asked over a new connection
    QVERIFY(!other.isEmpty());
}

void ProcessFates::the_owners_death_makes_an_orphan_that_goes_when_nobody_holds_it() {
    auto owner = service_->python("owner.py");
    const auto id = owner->line();
    QVERIFY(id.startsWith("shm_"));
    auto holder = keeper(id);
    QCOMPARE(holder->line(), "ok");
    owner->end(SIGKILL);
    QTRY_COMPARE_WITH_TIMEOUT(state(id), "orphan", kSoon);
    QTest::qWait(kSweeps);
    QCOMPARE(holder->ask("verify"), "good");
    QCOMPARE(count(id), 1);
    QCOMPARE(holder->ask("unmap"), "ok");
    QTRY_COMPARE_WITH_TIMEOUT(service_->cli({"info", id}).status, 1, 2 * kSoon);
    QTRY_COMPARE_WITH_TIMEOUT(service_->host().segments().size(), 0, 2 * kSoon);
}

void ProcessFates::the_managers_death_goes_unnoticed_on_the_fast_path() {
    const auto id = allocate();
    auto holder = keeper(id);
    QCOMPARE(holder->line(), "ok");
    service_->kill();
    for (int i = 0; i < 3; ++i) {
        QCOMPARE(holder->ask("unmap"), "ok");
        QCOMPARE(holder->ask("map"), "ok");
    }
    QCOMPARE(holder->ask("verify"), "good");
    QVERIFY(service_->start());
    QCOMPARE(count(id), 1);
    QCOMPARE(holder->ask("unmap"), "ok");
    QTRY_COMPARE_WITH_TIMEOUT(count(id), 0, kSoon);
}

void ProcessFates::a_deallocated_region_stays_for_those_who_hold_it_and_for_nobody_else() {
    const QStringList dedicated{"--placement", "dedicated"};
    const auto id = allocate(dedicated);
    auto holder = keeper(id), late = keeper(allocate(dedicated));
    QCOMPARE(holder->line(), "ok");
    QCOMPARE(late->line(), "ok");
    QCOMPARE(service_->cli({"deallocate", id}).status, 0);
    QCOMPARE(state(id), "closing");
    QCOMPARE(holder->ask("verify"), "good");
    QCOMPARE(holder->ask("map"), "region_not_found");
    auto stranger = keeper(id);
    QCOMPARE(stranger->line(), "region_not_found");
    QCOMPARE(service_->host().segments().size(), 2);
    QCOMPARE(holder->ask("unmap"), "ok");
    QTRY_COMPARE_WITH_TIMEOUT(service_->host().segments().size(), 1, kSoon);
}

void ProcessFates::a_region_taken_by_force_reads_as_zeros_until_its_last_holder_goes() {
    const auto id = allocate();
    auto holder = keeper(id);
    QCOMPARE(holder->line(), "ok");
    QCOMPARE(service_->cli({"deallocate", "--force", id}).status, 0);
    QCOMPARE(holder->ask("verify"), "bad");  // it can still look, and sees nothing
    QCOMPARE(state(id), "revoked");
    QCOMPARE(holder->ask("map"), "region_not_found");
    QCOMPARE(holder->ask("unmap"), "ok");
    QTRY_COMPARE_WITH_TIMEOUT(service_->host().segments().size(), 0, kSoon);
}

int main(int argc, char** argv) {
    if (argc == 3 && QByteArrayView(argv[1]) == "keeper") return run_keeper(argv[2]);
    QCoreApplication application(argc, argv);
    ProcessFates test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_process_fates.moc"
