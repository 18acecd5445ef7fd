// SPDX-License-Identifier: MIT
// How long calls take when the manager is stopped, gone, or started again, and what a process that
// was forked in an unusual way may do.
#include <QDir>
#include <QtTest>

#include <sched.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <future>
#include <thread>

#include "client/fork_guard.h"
#include "client/manager_client.h"
#include "paused.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::kPatienceMs;

namespace {

// Beyond a deadline, on a machine that does much else.
constexpr qint64 kLateMs = 1500;

struct Outcome {
    int code = 0;  // 0: done
    qint64 took = 0;
};

template <typename Do>
Outcome timed(Do action) {
    QElapsedTimer time;
    time.start();
    const auto done = action();
    return {done ? 0 : static_cast<int>(done.error().code), time.elapsed()};
}

int code(ErrorCode code) {
    return static_cast<int>(code);
}

// The exit status of a child that ends by itself; -1 when it had to be killed.
int status_of(pid_t child) {
    for (int waited = 0; waited < 20'000; waited += 10) {
        int status = 0;
        if (::waitpid(child, &status, WNOHANG) == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        QTest::qSleep(10);
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    return -1;
}

// Of a lock that a wait of this thread, through another client, does not wait for in vain.
constexpr std::uint32_t kOwner = 1U << 22;

}  // namespace

class ClientDeadlines : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup() { resume(); }
    void a_timeout_holds_without_a_manager_data();
    void a_timeout_holds_without_a_manager();
    void a_stopped_manager_is_no_manager_and_not_a_timeout();
    void a_call_behind_another_threads_call_has_its_own_deadline();
    void a_lock_that_is_held_is_a_timeout();
    void a_wait_ends_in_time_when_the_manager_is_stopped_meanwhile();
    void connecting_fails_at_once_without_a_manager();
    void connecting_waits_for_a_manager_that_is_started_again_data();
    void connecting_waits_for_a_manager_that_is_started_again();
    void connecting_to_a_stopped_manager_ends_in_time();
    void a_lock_that_no_manager_took_back_is_given_back_to_the_next();
    void a_level_that_is_given_back_again_is_given_back_once();
    void signals_during_a_wait_cost_no_requests();
    void a_ticket_waits_in_slices();
    void a_child_made_past_atfork_connects_though_the_gate_was_held();
    void a_child_with_its_parents_number_is_forked();

  private:
    std::unique_ptr<ManagerClient> connect(int timeout_ms = 10'000) {
        auto client = ManagerClient::connect({.timeout_ms = timeout_ms});
        if (!client) qFatal("%s", client.error().sentence().c_str());
        return std::move(*client);
    }
    void stop() { QVERIFY(test::pause_process(service_->pid())); }
    void resume() {
        if (service_->pid() > 0) ::kill(static_cast<pid_t>(service_->pid()), SIGCONT);
    }
    std::unique_ptr<test::Service> service_;
};

void ClientDeadlines::init() {
    service_ = std::make_unique<test::Service>();
    QVERIFY(service_->start());
    service_->host().use_in_this_process(service_->instance());
}

void ClientDeadlines::a_timeout_holds_without_a_manager_data() {
    QTest::addColumn<int>("timeout");
    QTest::newRow("none") << 0;
    QTest::newRow("short") << 300;
    QTest::newRow("longer") << 1500;
}

void ClientDeadlines::a_timeout_holds_without_a_manager() {
    QFETCH(int, timeout);
    auto client = connect();
    const auto id = client->allocate(4096);
    service_->kill();
    const auto asked = timed([&] {
        return client->lock(*id, AccessMode::read_write, static_cast<std::uint32_t>(timeout));
    });
    QCOMPARE(asked.code, code(ErrorCode::no_manager));
    QVERIFY(asked.took >= timeout - 1 && asked.took < timeout + kLateMs);
}

void ClientDeadlines::a_stopped_manager_is_no_manager_and_not_a_timeout() {
    auto client = connect(700);
    const auto id = client->allocate(4096);
    stop();
    for (const std::uint32_t timeout : {0U, 300U}) {
        const auto asked =
            timed([&] { return client->lock(*id, AccessMode::read_write, timeout); });
        QCOMPARE(asked.code, code(ErrorCode::no_manager));
        QVERIFY(asked.took < timeout + kLateMs);
    }
    const auto info = timed([&] { return client->info(*id); });
    QCOMPARE(info.code, code(ErrorCode::no_manager));
    QVERIFY(info.took >= 699 && info.took < 700 + kLateMs);
    const auto made = timed([&] { return client->allocate(4096); });
    QCOMPARE(made.code, code(ErrorCode::no_manager));
    resume();
    QVERIFY(client->info(*id).has_value());
    const auto lock = client->lock(*id, AccessMode::read_write, 10'000);  // nothing was left behind
    QVERIFY(lock.has_value());
    const auto others = connect();
    QCOMPARE(timed([&] { return others->lock(*id, AccessMode::read_write, 0); }).code,
             code(ErrorCode::timeout));
    QVERIFY(client->unlock(*id, lock->token).has_value());
    QVERIFY(others->lock(*id, AccessMode::read_write, 10'000).has_value());
}

void ClientDeadlines::a_call_behind_another_threads_call_has_its_own_deadline() {
    auto client = connect(8000);
    const auto id = client->allocate(4096);
    stop();
    std::vector<std::future<Outcome>> first;
    for (int i = 0; i < 3; ++i)
        first.push_back(
            std::async(std::launch::async, [&] { return timed([&] { return client->list(); }); }));
    QTest::qWait(200);  // one of them waits for the manager, two for that one
    for (const std::uint32_t timeout : {0U, 400U}) {
        const auto behind =
            timed([&] { return client->lock(*id, AccessMode::read_only, timeout); });
        QCOMPARE(behind.code, code(ErrorCode::no_manager));
        QVERIFY(behind.took < timeout + kLateMs);
    }
    for (auto& one : first) {
        const auto outcome = one.get();
        QCOMPARE(outcome.code, code(ErrorCode::no_manager));
        QVERIFY(outcome.took < 8000 + kLateMs);  // and not one after the other
    }
}

void ClientDeadlines::a_lock_that_is_held_is_a_timeout() {
    auto client = connect();
    auto other = connect();
    const auto id = client->allocate(4096);
    QVERIFY(client->lock(*id, AccessMode::read_write, 0, kOwner).has_value());
    for (const std::uint32_t timeout : {0U, 20U, 500U}) {
        const auto asked = timed([&] { return other->lock(*id, AccessMode::read_write, timeout); });
        QCOMPARE(asked.code, code(ErrorCode::timeout));
        QVERIFY(asked.took >= timeout && asked.took < timeout + kLateMs);
    }
}

void ClientDeadlines::a_wait_ends_in_time_when_the_manager_is_stopped_meanwhile() {
    auto client = connect();
    auto other = connect();
    const auto id = client->allocate(4096);
    const auto held = client->lock(*id, AccessMode::read_write, 0);
    auto waiting = std::async(std::launch::async, [&] {
        return timed([&] { return other->lock(*id, AccessMode::read_write, 1500); });
    });
    QTest::qWait(200);
    stop();
    const auto outcome = waiting.get();
    QCOMPARE(outcome.code, code(ErrorCode::no_manager));
    QVERIFY(outcome.took < 1500 + kLateMs);
    resume();
    QVERIFY(client->unlock(*id, held->token).has_value());
    QVERIFY(client->lock(*id, AccessMode::read_write, 10'000).has_value());
}

void ClientDeadlines::connecting_fails_at_once_without_a_manager() {
    const auto none = timed(
        [] { return ManagerClient::connect({.instance = "no-such", .await_restart = true}); });
    QCOMPARE(none.code, code(ErrorCode::no_manager));
    QVERIFY(none.took < kLateMs);
    service_->kill();
    const auto asked_once = timed([] { return ManagerClient::connect(); });
    QCOMPARE(asked_once.code, code(ErrorCode::no_manager));
    QVERIFY(asked_once.took < kLateMs);
    const auto bounded =
        timed([] { return ManagerClient::connect({.timeout_ms = 300, .await_restart = true}); });
    QCOMPARE(bounded.code, code(ErrorCode::no_manager));
    QVERIFY(bounded.took < 300 + kLateMs);
}

void ClientDeadlines::connecting_waits_for_a_manager_that_is_started_again_data() {
    QTest::addColumn<bool>("killed");
    QTest::newRow("killed") << true;
    QTest::newRow("stopped in good order") << false;
}

void ClientDeadlines::connecting_waits_for_a_manager_that_is_started_again() {
    QFETCH(bool, killed);
    if (killed)
        service_->kill();
    else
        service_->stop();
    auto connecting = std::async(std::launch::async, [] {
        return timed([] { return ManagerClient::connect({.await_restart = true}); });
    });
    QTest::qWait(300);
    QVERIFY(service_->start());
    QCOMPARE(connecting.get().code, 0);
}

void ClientDeadlines::connecting_to_a_stopped_manager_ends_in_time() {
    stop();
    for (const bool restart : {false, true}) {
        const auto asked = timed(
            [&] { return ManagerClient::connect({.timeout_ms = 500, .await_restart = restart}); });
        QCOMPARE(asked.code, code(ErrorCode::no_manager));
        QVERIFY(asked.took >= 499 && asked.took < 500 + kLateMs);
    }
}

void ClientDeadlines::a_lock_that_no_manager_took_back_is_given_back_to_the_next() {
    auto client = connect(300);
    const auto id = client->allocate(4096);
    const auto held = client->lock(*id, AccessMode::read_write, 0);
    QVERIFY(!connect()->lock(*id, AccessMode::read_write, 0));  // it is the manager's from now on
    service_->kill();
    const auto unlocked = timed([&] { return client->unlock(*id, held->token); });
    QCOMPARE(unlocked.code, code(ErrorCode::no_manager));
    QVERIFY(service_->start());
    QVERIFY(client->list().has_value());
    QVERIFY(connect()->lock(*id, AccessMode::read_write, 10'000).has_value());
    QCOMPARE(timed([&] { return client->unlock(*id, held->token); }).code,
             code(ErrorCode::not_held));
}

void ClientDeadlines::a_level_that_is_given_back_again_is_given_back_once() {
    auto client = connect(300);
    auto other = connect();
    const auto id = client->allocate(4096);
    const auto outer = client->lock(*id, AccessMode::read_write, 0);
    const auto inner = client->lock(*id, AccessMode::read_write, 0);
    QCOMPARE(inner->token, outer->token);
    QVERIFY(!other->lock(*id, AccessMode::read_write, 0));  // it is the manager's from now on
    service_->kill();
    QVERIFY(!client->unlock(*id, inner->token));
    QVERIFY(service_->start());
    QVERIFY(client->list().has_value());
    QCOMPARE(timed([&] { return other->lock(*id, AccessMode::read_write, 0); }).code,
             code(ErrorCode::timeout));  // one level is left
    service_->kill();
    QVERIFY(!client->unlock(*id, outer->token));
    QVERIFY(service_->start());
    // By one who does not know that nothing is to be done.
    QVERIFY(client->unlock(*id, outer->token).has_value());
    QVERIFY(other->lock(*id, AccessMode::read_write, 10'000).has_value());
}

void ClientDeadlines::signals_during_a_wait_cost_no_requests() {
    struct sigaction counting {};
    counting.sa_handler = [](int) {};
    struct sigaction before {};
    ::sigaction(SIGALRM, &counting, &before);
    auto client = connect();
    auto other = connect();
    const auto id = client->allocate(4096);
    QVERIFY(client->lock(*id, AccessMode::read_write, 0, kOwner).has_value());
    const itimerval often{{0, 1000}, {0, 1000}}, never{};
    ::setitimer(ITIMER_REAL, &often, nullptr);
    const auto trips = other->round_trips();
    const auto asked = timed([&] { return other->lock(*id, AccessMode::read_write, 1500); });
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &before, nullptr);
    QCOMPARE(asked.code, code(ErrorCode::timeout));
    QVERIFY(asked.took >= 1500);
    QVERIFY2(other->round_trips() - trips < 20,
             qPrintable(QString::number(other->round_trips() - trips)));
}

void ClientDeadlines::a_ticket_waits_in_slices() {
    auto client = connect();
    auto other = connect();
    const auto id = client->allocate(4096);
    const auto held = client->lock(*id, AccessMode::read_write, 0, kOwner);
    const auto ticket = other->lock_begin(*id, AccessMode::read_write, 0);
    QVERIFY(ticket.has_value());
    const auto trips = other->round_trips();
    for (int i = 0; i < 10; ++i) QVERIFY(!*other->lock_wait(*ticket, 5));
    QVERIFY(other->round_trips() - trips < 3);
    QVERIFY(client->unlock(*id, held->token).has_value());
    std::optional<LockGrant> granted;
    while (!granted) granted = *other->lock_wait(*ticket, 100);
    QCOMPARE(timed([&] { return other->lock_wait(*ticket, 0); }).code, code(ErrorCode::not_held));
    const auto second = client->lock_begin(*id, AccessMode::read_only, 1U << 22);
    QVERIFY(client->lock_cancel(*second).has_value());
    QCOMPARE(timed([&] { return client->lock_cancel(*second); }).code, code(ErrorCode::not_held));
    QVERIFY(other->unlock(*id, granted->token).has_value());
    const auto third = client->lock_begin(*id, AccessMode::read_write, 1U << 22);
    QVERIFY(client->lock_cancel(*third).has_value());  // it was granted, and is given back
    QVERIFY(other->lock(*id, AccessMode::read_write, 10'000).has_value());
    QCOMPARE(timed([&] { return client->lock_begin(*id, AccessMode::read_only, 77); }).code,
             code(ErrorCode::invalid_argument));
}

void ClientDeadlines::a_child_made_past_atfork_connects_though_the_gate_was_held() {
    auto client = connect();
    const auto id = client->allocate(4096);
    std::promise<void> held, done;
    std::thread holder([&] {
        const auto gate = ForkGuard::instance().no_fork();
        held.set_value();
        done.get_future().wait();
    });
    held.get_future().wait();
    const auto child = static_cast<pid_t>(::syscall(SYS_fork));
    if (child == 0) {
        const auto inherited = client->map(*id, AccessMode::read_only);
        if (inherited || inherited.error().code != ErrorCode::forked) ::_exit(1);
        auto own = ManagerClient::connect();
        if (!own || !(*own)->map(*id, AccessMode::read_only)) ::_exit(2);
        const auto grandchild = ::fork();
        if (grandchild == 0) ::_exit((*own)->list() ? 3 : 0);
        int status = 0;
        ::waitpid(grandchild, &status, 0);
        ::_exit(status == 0 ? 0 : 4);
    }
    const auto status = status_of(child);
    done.set_value();
    holder.join();
    QCOMPARE(status, 0);
}

// In a namespace of process ids of its own every process is the first: as if the number of an
// ancestor that is gone had come again.
void ClientDeadlines::a_child_with_its_parents_number_is_forked() {
    const auto in_namespace = [](auto then) {
        if (::unshare(CLONE_NEWPID) != 0) ::_exit(77);
        const auto child = ::fork();
        if (child == 0) then();
        ::_exit(status_of(child));
    };
    const auto child = ::fork();
    if (child == 0)
        in_namespace([&] {
            auto first = ManagerClient::connect();
            const auto id = first ? (*first)->allocate(4096) : fail(first.error());
            if (!id || ::getpid() != 1) ::_exit(2);
            in_namespace([&] {
                auto own = ManagerClient::connect();
                if (!own || ::getpid() != 1) ::_exit(3);
                const auto inherited = (*first)->map(*id, AccessMode::read_write);
                if (inherited || inherited.error().code != ErrorCode::forked) ::_exit(4);
                if ((*first)->list()) ::_exit(5);
                ::_exit((*own)->map(*id, AccessMode::read_write) ? 0 : 6);
            });
        });
    const auto status = status_of(child);
    if (status == 77) QSKIP("this user may make no namespace of process ids");
    QCOMPARE(status, 0);
}

QTEST_GUILESS_MAIN(ClientDeadlines)
#include "tst_client_deadlines.moc"
