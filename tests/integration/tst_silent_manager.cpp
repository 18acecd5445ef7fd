// SPDX-License-Identifier: MIT
// A manager that is stopped while it is asked: it executes later what the caller has given up.
// Locks of owners that are not threads, because they ask for a tenth of a second only. Nothing may
// stay locked that the program does not count, and nothing be released that it does.
#include <signal.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <QFile>
#include <QtTest>

#include "base/lock_owner.h"
#include "client/manager_client.h"
#include "from_environment.h"
#include "paused.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::kPatienceMs;

namespace {

constexpr std::uint32_t kAnn = kFirstOwner + 7, kBob = kFirstOwner + 8;
constexpr auto kRead = AccessMode::read_only;
constexpr auto kWrite = AccessMode::read_write;

}  // namespace

class SilentManager : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() {
        QVERIFY(service_.start());
        service_.host().use_in_this_process(service_.instance());
    }
    void init() {
        client_ = ManagerClient::connect().value();
        other_ = ManagerClient::connect().value();
        id_ = client_->allocate(4096).value();
    }
    void cleanup() {
        resume();
        client_.reset();
        other_.reset();
    }

    void a_lock_that_was_not_granted_in_time_is_not_kept_data();
    void a_lock_that_was_not_granted_in_time_is_not_kept();
    void a_request_that_was_queued_unseen_is_cancelled();
    void a_request_that_was_granted_unseen_is_cancelled_after_a_release();
    void a_request_that_was_granted_unseen_is_granted_once();
    void a_lock_taken_after_an_unseen_grant_is_released();
    void an_unseen_release_is_not_repeated_after_the_next_lock();
    void a_wait_that_was_not_confirmed_is_decided_or_cancelled();
    void owners_at_random_leave_nothing();

  private:
    void stop() { QVERIFY(test::pause_process(service_.pid())); }
    void resume() { ::kill(static_cast<pid_t>(service_.pid()), SIGCONT); }
    // The lock is read by both clients, so that it is not delegated: every change is a request.
    std::uint64_t read_with_another(std::uint32_t owner) {
        const auto own = client_->lock(id_, kRead, kPatienceMs, owner);
        shared_ = other_->lock(id_, kRead, kPatienceMs).value().token;
        return own.value().token;
    }
    void end_sharing() { QVERIFY(other_->unlock(id_, shared_).has_value()); }
    bool nobody_locks() {
        const auto alone = other_->lock(id_, kWrite, kPatienceMs);
        return alone && other_->unlock(id_, alone->token);
    }
    bool somebody_locks() {
        for (;;) {
            const auto alone = other_->lock(id_, kWrite, 0);
            if (alone) return false;
            if (alone.error().code != ErrorCode::no_manager)  // which had a tenth of a second
                return alone.error().code == ErrorCode::timeout;
        }
    }
    bool cancel(std::uint64_t ticket) {
        const auto cancelled = client_->lock_cancel(ticket);
        return cancelled || cancelled.error().code == ErrorCode::no_manager;
    }

    test::Service service_;
    std::unique_ptr<ManagerClient> client_, other_;
    RegionId id_;
    std::uint64_t shared_ = 0;
};

void SilentManager::a_lock_that_was_not_granted_in_time_is_not_kept_data() {
    QTest::addColumn<bool>("holds");
    QTest::addColumn<bool>("write");
    QTest::newRow("read") << false << false;
    QTest::newRow("write") << false << true;
    QTest::newRow("read, one level deeper") << true << false;
}

void SilentManager::a_lock_that_was_not_granted_in_time_is_not_kept() {
    QFETCH(bool, holds);
    QFETCH(bool, write);
    const auto held = holds ? read_with_another(kAnn) : 0;
    stop();
    const auto asked = client_->lock(id_, write ? kWrite : kRead, 0, kAnn);
    QVERIFY(!asked);
    QCOMPARE(asked.error().code, ErrorCode::no_manager);
    resume();
    if (holds) {
        QVERIFY(client_->unlock(id_, held).has_value());
        end_sharing();
    }
    QVERIFY(nobody_locks());
}

void SilentManager::a_request_that_was_queued_unseen_is_cancelled() {
    const auto held = other_->lock(id_, kWrite, kPatienceMs);
    QVERIFY(held.has_value());
    stop();
    const auto ticket = client_->lock_begin(id_, kWrite, kAnn);
    QVERIFY(ticket.has_value());
    resume();
    QVERIFY(cancel(*ticket));
    QVERIFY(other_->unlock(id_, held->token).has_value());
    QVERIFY(nobody_locks());
}

void SilentManager::a_request_that_was_granted_unseen_is_cancelled_after_a_release() {
    const auto held = read_with_another(kAnn);
    stop();
    const auto ticket = client_->lock_begin(id_, kRead, kAnn);
    QVERIFY(ticket.has_value());
    resume();
    QVERIFY(client_->unlock(id_, held).has_value());
    QVERIFY(cancel(*ticket));
    end_sharing();
    QVERIFY(nobody_locks());
}

void SilentManager::a_request_that_was_granted_unseen_is_granted_once() {
    const auto held = read_with_another(kAnn);
    stop();
    const auto ticket = client_->lock_begin(id_, kRead, kAnn);
    QVERIFY(ticket.has_value());
    resume();
    const auto deeper = client_->lock(id_, kRead, kPatienceMs, kAnn);
    QVERIFY(deeper.has_value());
    const auto granted = client_->lock_wait(*ticket, kPatienceMs);
    QVERIFY(granted && *granted);
    for (const auto token : {held, deeper->token, (*granted)->token})
        QVERIFY(client_->unlock(id_, token).has_value());
    QCOMPARE(client_->unlock(id_, held).error().code, ErrorCode::not_held);
    end_sharing();
    QVERIFY(nobody_locks());
}

// The same without a silence: a request of the same owner ends its wait, granted or not.
void SilentManager::a_lock_taken_after_an_unseen_grant_is_released() {
    const auto held = other_->lock(id_, kWrite, kPatienceMs);
    QVERIFY(held.has_value());
    const auto ticket = client_->lock_begin(id_, kRead, kAnn);
    QVERIFY(ticket.has_value());
    QVERIFY(other_->unlock(id_, held->token).has_value());  // granted, which nobody has asked yet
    const auto taken = client_->lock(id_, kRead, kPatienceMs, kAnn);
    QVERIFY(taken.has_value());
    const auto granted = client_->lock_wait(*ticket, kPatienceMs);
    QVERIFY(granted && *granted);
    QVERIFY(client_->unlock(id_, taken->token).has_value());
    QVERIFY(somebody_locks());
    QVERIFY(client_->unlock(id_, (*granted)->token).has_value());
    QVERIFY(nobody_locks());
}

void SilentManager::an_unseen_release_is_not_repeated_after_the_next_lock() {
    const auto brief = ManagerClient::connect({.timeout_ms = 1000}).value();
    const auto first = brief->lock(id_, kRead, kPatienceMs, kAnn);
    shared_ = other_->lock(id_, kRead, kPatienceMs).value().token;
    QVERIFY(brief->lock(id_, kRead, kPatienceMs, kAnn).has_value());
    stop();
    QCOMPARE(brief->unlock(id_, first->token).error().code, ErrorCode::no_manager);
    resume();
    QVERIFY(brief->lock(id_, kRead, kPatienceMs, kAnn).has_value());
    // Two levels are left.
    QVERIFY(brief->unlock(id_, first->token).has_value());
    end_sharing();
    QVERIFY(somebody_locks());
    QVERIFY(brief->unlock(id_, first->token).has_value());
    QVERIFY(nobody_locks());
}

void SilentManager::a_wait_that_was_not_confirmed_is_decided_or_cancelled() {
    QVERIFY(client_->event_fd().has_value());
    const auto now = client_->wait(id_, UINT64_MAX, kPatienceMs);
    QVERIFY(now && *now);
    stop();
    const auto kept = client_->wait_begin(id_, **now);
    const auto cancelled = client_->wait_begin(id_, **now);
    QVERIFY(kept && cancelled);
    QVERIFY(cancel(*cancelled));
    resume();
    QVERIFY(other_->notify(id_).has_value());
    int events = 0;
    QVERIFY(QTest::qWaitFor(
        [&] {
            const auto event = client_->next_event();
            if (!event || !*event) return false;
            if ((*event)->ticket == *cancelled) return true;  // counted below
            ++events;
            return (*event)->ticket == *kept;
        },
        kPatienceMs));
    QCOMPARE(events, 1);
    const auto more = client_->next_event();
    QVERIFY(more && !*more);
}

// What the processes of an event loop do, on a few threads, while the manager is stopped again and
// again. One thread takes the events, as such a loop does.
void SilentManager::owners_at_random_leave_nothing() {
    const int millis = test::from_environment("SNAKEPIT_SILENCE_MS", 6000);
    const auto seed = static_cast<unsigned>(test::from_environment("SNAKEPIT_SEED", 0));
    QVERIFY(client_->event_fd().has_value());
    std::atomic<bool> done{false};
    std::atomic<int> locks{0}, wrong{0}, pending{0};
    std::atomic<std::uint32_t> next_owner{kFirstOwner + 1000};

    const auto release = [&](std::uint64_t token) {
        const auto given = client_->unlock(id_, token);
        if (!given && given.error().code != ErrorCode::no_manager) ++wrong;
    };
    std::thread events([&] {
        while (!done || pending > 0) {
            const auto event = client_->next_event();
            if (!event || !*event) {
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
                continue;
            }
            --pending;
            if ((*event)->granted) {
                ++locks;
                release((*event)->granted->token);
            }
        }
    });
    const auto live = [&](std::uint32_t owner, unsigned number) {
        std::mt19937 random(number);
        while (!done) {
            const auto mode = random() % 2 == 0 ? kRead : kWrite;
            std::uint64_t held = 0;
            const int deep = static_cast<int>(random() % 3);
            for (int level = 0; level < deep; ++level) {
                const auto granted = client_->lock(id_, mode, 0, owner);
                if (!granted) break;
                ++locks;
                if (held) release(granted->token);
                held = granted->token;
            }
            if (random() % 2 == 0) {
                const bool cancels = random() % 4 != 0;
                const bool deeper = cancels && random() % 2 == 0;
                ++pending;
                const auto ticket = client_->lock_begin(id_, mode, deeper ? owner : next_owner++);
                if (!ticket) {
                    --pending;
                } else if (cancels) {
                    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 5));
                    // Not held: its event was returned.
                    const auto cancelled = client_->lock_cancel(*ticket);
                    if (cancelled || cancelled.error().code != ErrorCode::not_held) --pending;
                }
            }
            if (held) release(held);
        }
    };
    std::vector<std::thread> owners;
    for (unsigned i = 0; i < 4; ++i) owners.emplace_back(live, kAnn + 100 + 10 * i, seed * 31 + i);
    std::mt19937 random(seed);
    for (QDeadlineTimer end(millis); !end.hasExpired();) {
        stop();
        QTest::qWait(150);
        resume();
        QTest::qWait(static_cast<int>(random() % 100));
    }
    done = true;
    for (auto& owner : owners) owner.join();
    events.join();
    QCOMPARE(wrong.load(), 0);
    QVERIFY(locks > 0);
    qInfo("%d locks", locks.load());
    QVERIFY(nobody_locks());
}

QTEST_GUILESS_MAIN(SilentManager)
#include "tst_silent_manager.moc"
