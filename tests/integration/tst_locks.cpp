// SPDX-License-Identifier: MIT
// Locks between real processes and threads, some of which are killed.
#include <QJsonArray>
#include <QtTest>
#include <csignal>
#include <thread>

#include "client/manager_client.h"
#include "locker.h"
#include "paused.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::kPatienceMs;
using test::Peer;

namespace {

constexpr auto kForever = "4294967295";

void resume(qint64 pid) {
    ::kill(static_cast<pid_t>(pid), SIGCONT);
}

}  // namespace

class Locks : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup() {
        lockers_.clear();
        service_.reset();
    }

    void a_killed_writers_lock_goes_to_the_next_who_is_told();
    void the_history_of_a_killed_writer_has_the_cause_first();
    void a_killed_waiter_is_skipped();
    void a_stopped_holder_keeps_its_lock();
    void a_wait_ends_when_its_time_is_up();
    void circles_of_processes_are_refused_at_once_data();
    void circles_of_processes_are_refused_at_once();
    void holders_and_waiters_outlive_a_killed_manager();
    void a_forked_child_inherits_no_lock();
    void a_thread_waits_while_another_gives_back_through_the_same_client();
    void a_lock_that_was_given_up_while_the_manager_slept_is_not_left_behind();
    void locks_are_shown_and_taken_away_from_the_command_line();
    void random_users_in_one_order_never_hear_of_a_deadlock();

  private:
    QString allocate() const {
        return service_->cli_json({"allocate", "4096"}).value("id").toString();
    }
    Peer& locker() {
        lockers_.push_back(peer({"locker"}));
        if (lockers_.back()->line() != "ready") qWarning("the locker is not ready");
        return *lockers_.back();
    }
    std::unique_ptr<Peer> peer(const QStringList& words) const {
        return std::make_unique<Peer>(QCoreApplication::applicationFilePath(), words,
                                      service_->host().environment(service_->instance()));
    }
    QJsonObject locks(const QString& id) const {
        return service_->cli_json({"locks", id}).value("locks").toArray().at(0).toObject();
    }
    int waiters(const QString& id) const { return locks(id).value("waiter_count").toInt(); }
    // Asked for, and known to wait.
    bool queue(Peer& who, const QString& id, const QString& mode, const QString& ms = kForever) {
        const int before = waiters(id);
        who.say("lock " + id + " " + mode + " " + ms);
        return QTest::qWaitFor([&] { return waiters(id) == before + 1; }, kPatienceMs);
    }
    static QString token_of(const QString& answer) { return answer.section(' ', 1, 1); }

    std::unique_ptr<test::Service> service_;
    std::vector<std::unique_ptr<Peer>> lockers_;
};

void Locks::init() {
    service_ = std::make_unique<test::Service>();
    QVERIFY(service_->start());
}

void Locks::a_killed_writers_lock_goes_to_the_next_who_is_told() {
    const auto id = allocate();
    auto& holder = locker();
    auto& reader = locker();
    auto& writer = locker();
    QVERIFY(holder.ask("lock " + id + " w 0").startsWith("granted"));
    QVERIFY(queue(reader, id, "r"));
    QVERIFY(queue(writer, id, "w"));
    holder.end(SIGKILL);
    const auto read = reader.line();
    QVERIFY2(read.startsWith("inconsistent"), qPrintable(read));
    QCOMPARE(waiters(id), 1);
    QVERIFY(locks(id).value("inconsistent").toBool());
    QVERIFY(service_->cli_json({"info", id}).value("inconsistent").toBool());
    QCOMPARE(reader.ask("unlock " + id + " " + token_of(read)), "ok");
    const auto written = writer.line();
    QVERIFY(written.startsWith("inconsistent"));
    QCOMPARE(writer.ask("unlock " + id + " " + token_of(written)), "ok");
    QVERIFY(!service_->cli_json({"info", id}).value("inconsistent").toBool());
    QVERIFY(reader.ask("lock " + id + " r 0").startsWith("granted"));
    const auto broken = service_->cli_json({"events", "--kind", "lock_broken"});
    QCOMPARE(broken.value("events").toArray().size(), 1);
}

void Locks::the_history_of_a_killed_writer_has_the_cause_first() {
    const auto id = allocate();
    for (int round = 0; round < 10; ++round) {
        auto& holder = locker();
        const auto pid = holder.pid();
        const auto kinds = [&] {
            QStringList out;
            for (const auto& value : service_->cli_json({"events"}).value("events").toArray())
                if (value.toObject()["pid"].toInteger() == pid)
                    out << value.toObject()["kind"].toString();
            return out;
        };
        QVERIFY(holder.ask("lock " + id + " w 0").contains(' '));
        holder.end(SIGKILL);
        QTRY_VERIFY_WITH_TIMEOUT(kinds().contains("client_gone"), kPatienceMs);
        const auto seen = kinds();
        QVERIFY2(!seen.contains("client_disconnected"), qPrintable(seen.join(' ')));
        // Only the first makes the region inconsistent.
        if (round > 0) continue;
        QTRY_VERIFY_WITH_TIMEOUT(kinds().contains("lock_broken"), kPatienceMs);
        QVERIFY2(kinds().indexOf("client_gone") < kinds().indexOf("lock_broken"),
                 qPrintable(kinds().join(' ')));
    }
}

void Locks::a_killed_waiter_is_skipped() {
    const auto id = allocate();
    auto& holder = locker();
    auto& doomed = locker();
    auto& next = locker();
    const auto held = holder.ask("lock " + id + " r 0");
    QVERIFY(queue(doomed, id, "w"));
    QVERIFY(queue(next, id, "r"));
    doomed.end(SIGKILL);
    QVERIFY(next.line().startsWith("granted"));  // nothing is in its way now
    QCOMPARE(holder.ask("unlock " + id + " " + token_of(held)), "ok");
}

void Locks::a_stopped_holder_keeps_its_lock() {
    const auto id = allocate();
    auto& holder = locker();
    auto& other = locker();
    const auto held = holder.ask("lock " + id + " w 0");
    QVERIFY(test::pause_process(holder.pid()));
    QVERIFY(other.ask("lock " + id + " r 300").startsWith("timeout"));
    QVERIFY(queue(other, id, "r"));
    resume(holder.pid());
    QCOMPARE(holder.ask("unlock " + id + " " + token_of(held)), "ok");
    QVERIFY(other.line().startsWith("granted"));
}

void Locks::a_wait_ends_when_its_time_is_up() {
    const auto id = allocate();
    auto& holder = locker();
    auto& other = locker();
    QVERIFY(holder.ask("lock " + id + " w 0").startsWith("granted"));
    QVERIFY(other.ask("lock " + id + " w 0").startsWith("timeout"));
    const auto start = monotonic_nanos();
    QVERIFY(other.ask("lock " + id + " w 400").startsWith("timeout"));
    QVERIFY(monotonic_nanos() - start >= 400'000'000);
    QCOMPARE(waiters(id), 0);
    QTRY_COMPARE_WITH_TIMEOUT(
        service_->cli_json({"events", "--kind", "lock_timed_out"}).value("events").toArray().size(),
        1, kPatienceMs);
}

void Locks::circles_of_processes_are_refused_at_once_data() {
    QTest::addColumn<int>("size");
    for (const int size : {2, 3, 10}) QTest::newRow(qPrintable(QString::number(size))) << size;
}

void Locks::circles_of_processes_are_refused_at_once() {
    QFETCH(int, size);
    QStringList ids;
    QStringList tokens;
    std::vector<Peer*> all;
    for (int i = 0; i < size; ++i) {
        ids += allocate();
        all.push_back(&locker());
        tokens += token_of(all.back()->ask("lock " + ids.back() + " w 0"));
    }
    for (int i = 0; i + 1 < size; ++i)
        QVERIFY(queue(*all[static_cast<std::size_t>(i)], ids[i + 1], "w"));
    const auto refused = all.back()->ask("lock " + ids.front() + " w " + kForever);
    QVERIFY2(refused.startsWith("deadlock"), qPrintable(refused));
    for (int i = 0; i < size; ++i) {
        QVERIFY(refused.contains(QString::number(all[static_cast<std::size_t>(i)]->pid())));
        QVERIFY(refused.contains(ids[i]));
    }
    // It holds what it held; giving that back lets the others finish one after the other.
    for (int i = size - 1; i > 0; --i) {
        auto& who = *all[static_cast<std::size_t>(i)];
        QCOMPARE(who.ask("unlock " + ids[i] + " " + tokens[i]), "ok");
        const auto granted = all[static_cast<std::size_t>(i) - 1]->line();
        QVERIFY2(granted.startsWith("granted"), qPrintable(granted));
    }
    const auto events = [&] {
        return service_->cli_json({"events", "--kind", "deadlock"})
            .value("events")
            .toArray()
            .size();
    };
    QTRY_COMPARE_WITH_TIMEOUT(events(), 1, kPatienceMs);  // another thread writes them
}

void Locks::holders_and_waiters_outlive_a_killed_manager() {
    const auto id = allocate();
    auto& holder = locker();
    auto& first = locker();
    auto& second = locker();
    const auto held = holder.ask("lock " + id + " w 0");
    QVERIFY(queue(first, id, "w"));
    QVERIFY(service_->restart_after_kill());
    QCOMPARE(locks(id).value("holder_count").toInt(), 1);
    QTRY_COMPARE_WITH_TIMEOUT(waiters(id), 1, kPatienceMs);  // it asked again
    QVERIFY(queue(second, id, "w"));
    QCOMPARE(holder.ask("unlock " + id + " " + token_of(held)), "ok");
    const auto granted = first.line();
    QVERIFY2(granted.startsWith("granted"), qPrintable(granted));
    service_->kill();
    first.say("unlock " + id + " " + token_of(granted));  // there is nobody to hear it yet
    QVERIFY(service_->start());
    QCOMPARE(first.line(), "ok");
    QVERIFY(second.line().startsWith("granted"));
}

void Locks::a_forked_child_inherits_no_lock() {
    const auto id = allocate();
    auto& one = locker();
    const auto held = one.ask("lock " + id + " w 0");
    QCOMPARE(one.ask("fork " + id), "forked");
    QCOMPARE(one.ask("unlock " + id + " " + token_of(held)), "ok");
}

void Locks::a_thread_waits_while_another_gives_back_through_the_same_client() {
    service_->host().use_in_this_process(service_->instance());
    auto client = ManagerClient::connect();
    QVERIFY(client.has_value());
    const auto id = (*client)->allocate(4096);
    const auto held = (*client)->lock(*id, AccessMode::read_write, 0);
    QVERIFY(held.has_value());
    Result<LockGrant> granted = fail(ErrorCode::timeout, "not asked");
    std::thread waiter(
        [&] { granted = (*client)->lock(*id, AccessMode::read_write, kLockForever); });
    const auto name = QString::fromStdString(id->str());
    const bool waited = QTest::qWaitFor([&] { return waiters(name) == 1; }, kPatienceMs);
    const auto given = (*client)->unlock(*id, held->token);
    waiter.join();
    QVERIFY(waited);
    QVERIFY(given.has_value());
    QVERIFY(granted.has_value());
    QVERIFY(granted->token != held->token);
    QVERIFY((*client)->unlock(*id, granted->token).has_value());  // of the other thread
    QCOMPARE((*client)->unlock(*id, granted->token).error().code, ErrorCode::not_held);
}

void Locks::a_lock_that_was_given_up_while_the_manager_slept_is_not_left_behind() {
    service_->host().use_in_this_process(service_->instance());
    auto client = ManagerClient::connect({.timeout_ms = 300});
    QVERIFY(client.has_value());
    const auto id = (*client)->allocate(4096);
    QVERIFY(id.has_value());
    QVERIFY(test::pause_process(service_->pid()));
    const auto late = (*client)->lock(*id, AccessMode::read_write, kLockForever);
    resume(service_->pid());
    QVERIFY(!late);
    QCOMPARE(late.error().code, ErrorCode::no_manager);
    auto& other = locker();
    const auto granted = other.ask("lock " + QString::fromStdString(id->str()) + " w " + kForever);
    QVERIFY2(granted.startsWith("granted"), qPrintable(granted));
}

void Locks::locks_are_shown_and_taken_away_from_the_command_line() {
    const auto id = allocate();
    auto& holder = locker();
    auto& waiter = locker();
    QVERIFY(service_->cli_json({"locks"}).value("locks").toArray().isEmpty());
    const auto held = holder.ask("lock " + id + " w 0");
    QVERIFY(queue(waiter, id, "r"));
    const auto shown = locks(id);
    QCOMPARE(shown.value("region_id").toString(), id);
    const auto has = shown.value("holders").toArray().at(0).toObject();
    QCOMPARE(has.value("pid").toInteger(), holder.pid());
    QCOMPARE(has.value("process").toString(), "tst_locks");
    QCOMPARE(has.value("mode").toString(), "read_write");
    QCOMPARE(has.value("depth").toInt(), 1);
    QCOMPARE(has.value("token").toString().toULongLong(nullptr, 16), token_of(held).toULongLong());
    const auto waits = shown.value("waiters").toArray().at(0).toObject();
    QCOMPARE(waits.value("pid").toInteger(), waiter.pid());
    QCOMPARE(waits.value("mode").toString(), "read_only");
    QCOMPARE(waits.value("waits_for").toArray(), QJsonArray{holder.pid()});
    QVERIFY(service_->cli({"locks"}).out.contains("waits for " + QString::number(holder.pid())));

    QCOMPARE(service_->cli({"locks", "release", id, "--token", "no"}).status, 2);
    const auto wrong = service_->cli({"locks", "release", id, "--token", "123", "--json"});
    QCOMPARE(wrong.status, 1);
    QCOMPARE(wrong.error().value("code").toString(), "not_held");
    const auto taken =
        service_->cli({"locks", "release", id, "--token", has.value("token").toString()});
    QCOMPARE(taken.status, 0);
    QVERIFY(waiter.line().startsWith("inconsistent"));
    QVERIFY(holder.ask("unlock " + id + " " + token_of(held)).startsWith("not_held"));
}

void Locks::random_users_in_one_order_never_hear_of_a_deadlock() {
    constexpr int kWorkers = 5;
    QStringList ids;
    for (int i = 0; i < 4; ++i) ids += allocate();
    std::vector<std::unique_ptr<Peer>> workers;
    for (int i = 0; i < kWorkers; ++i)
        workers.push_back(peer(QStringList{"worker", QString::number(i)} + ids));
    for (auto& worker : workers) QCOMPARE(worker->line(), "ready");
    for (int i = 0; i < 3; ++i) {
        const bool busy = QTest::qWaitFor(
            [&] { return !service_->cli_json({"locks"}).value("locks").toArray().isEmpty(); },
            kPatienceMs);
        QVERIFY(busy);
        QVERIFY(service_->restart_after_kill());
    }
    int locks = 0;
    for (auto& worker : workers) {
        const auto said = worker->ask("enough");
        QVERIFY2(said.startsWith("done"), qPrintable(said));
        locks += said.section(' ', 1).toInt();
    }
    QVERIFY(locks >= kWorkers * 2 * 300);
    for (auto& worker : workers) QCOMPARE(worker->wait().status, 0);
    QTRY_VERIFY_WITH_TIMEOUT(service_->cli_json({"locks"}).value("locks").toArray().isEmpty(),
                             kPatienceMs);
    QVERIFY(
        service_->cli_json({"events", "--kind", "deadlock"}).value("events").toArray().isEmpty());
    for (const auto& id : ids)
        QVERIFY(!service_->cli_json({"info", id}).value("inconsistent").toBool());
}

int main(int argc, char** argv) {
    const QCoreApplication app(argc, argv);
    const auto words = QCoreApplication::arguments().mid(1);
    if (!words.isEmpty() && (words.first() == "locker" || words.first() == "worker"))
        return run_locker(words);
    Locks test;
    return QTest::qExec(&test, argc, argv);
}
#include "tst_locks.moc"
