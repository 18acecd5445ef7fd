// SPDX-License-Identifier: MIT
// A manager that ends between doing what it was asked and saying so. The test plays that manager:
// a real one cannot be killed in that very moment at will.
#include <QtTest>

#include <future>
#include <thread>
#include <vector>

#include "base/lock_owner.h"
#include "client/manager_client.h"
#include "played_manager.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::kFrameMs;
using test::PlayedManager;

namespace {

constexpr std::uint64_t kToken = 4711;

}  // namespace

class LostAnswer : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_lock_that_may_have_been_granted_is_given_up_when_asking_again_is_refused_data();
    void a_lock_that_may_have_been_granted_is_given_up_when_asking_again_is_refused();
    void a_lock_that_was_refused_at_once_is_not_given_up();
    void a_cancellation_that_no_manager_has_read_is_sent_to_the_next();
    void a_release_that_was_not_answered_comes_before_the_next_lock();
    void a_release_is_not_sent_before_an_earlier_one_was_executed();
    void what_a_busy_connection_could_not_send_is_sent_when_it_is_free();
};

void LostAnswer::a_lock_that_may_have_been_granted_is_given_up_when_asking_again_is_refused_data() {
    QTest::addColumn<int>("code");
    QTest::newRow("withdrawn meanwhile") << int(ErrorCode::region_not_found);
    QTest::newRow("sealed meanwhile") << int(ErrorCode::read_only);
}

void LostAnswer::a_lock_that_may_have_been_granted_is_given_up_when_asking_again_is_refused() {
    QFETCH(int, code);
    const test::TestHost host;
    host.use_in_this_process("played");
    PlayedManager manager(*resolve_paths("played"));
    wire::RequestT asked, after, again;
    std::thread play([&] {
        auto first = manager.welcome();
        asked = PlayedManager::next(first);
        first.close();  // granted, and killed before it said so
        auto second = manager.welcome();
        after = PlayedManager::next(second);
        again = PlayedManager::next(second);
        PlayedManager::refuse(second, again, static_cast<ErrorCode>(code));
    });
    auto client = ManagerClient::connect({.timeout_ms = kFrameMs});
    const RegionId id{17, 4};
    const auto grant = client ? (*client)->lock(id, AccessMode::read_write, 1000)
                              : Result<LockGrant>(fail(client.error()));
    play.join();
    QVERIFY(!grant);
    QCOMPARE(int(grant.error().code), code);
    QVERIFY(asked.call.AsLock() && again.call.AsLock());
    QCOMPARE(again.call.AsLock()->request, asked.call.AsLock()->request);
    QVERIFY(after.call.AsLockRequestCancel());
    QCOMPARE(after.call.AsLockRequestCancel()->request, asked.call.AsLock()->request);
    QCOMPARE(after.call.AsLockRequestCancel()->thread, asked.call.AsLock()->thread);
    QVERIFY(from_wire(*after.call.AsLockRequestCancel()->id) == id);
}

void LostAnswer::a_lock_that_was_refused_at_once_is_not_given_up() {
    const test::TestHost host;
    host.use_in_this_process("played");
    PlayedManager manager(*resolve_paths("played"));
    wire::RequestT after;
    std::thread play([&] {
        auto channel = manager.welcome();
        const auto asked = PlayedManager::next(channel);
        PlayedManager::refuse(channel, asked, ErrorCode::region_not_found);
        after = PlayedManager::next(channel);
    });
    auto client = ManagerClient::connect({.timeout_ms = kFrameMs});
    QVERIFY(client.has_value());
    QVERIFY(!(*client)->lock({17, 4}, AccessMode::read_write, 1000));
    client->reset();  // the end of the connection is what comes next
    play.join();
    QVERIFY(after.call.type == wire::Call::NONE);
}

void LostAnswer::a_cancellation_that_no_manager_has_read_is_sent_to_the_next() {
    const test::TestHost host;
    host.use_in_this_process("played");
    PlayedManager manager(*resolve_paths("played"));
    wire::RequestT asked, cancelled, info;
    std::promise<void> given_up;
    std::thread play([&] {
        auto first = manager.welcome();
        asked = PlayedManager::next(first);  // granted
        given_up.get_future().wait();
        first.close();  // and killed before it read the cancellation
        auto second = manager.welcome();
        cancelled = PlayedManager::next(second);
        info = PlayedManager::next(second);
        PlayedManager::refuse(second, info, ErrorCode::region_not_found);
    });
    auto client = ManagerClient::connect({.timeout_ms = kFrameMs});
    const RegionId id{17, 4};
    const auto grant = (*client)->lock(id, AccessMode::read_write, 0, kFirstOwner);
    given_up.set_value();
    (void)(*client)->info(id);
    play.join();
    QVERIFY(!grant);
    QVERIFY(asked.call.AsLock() && info.call.AsInfo());
    QVERIFY(cancelled.call.AsLockRequestCancel());
    QCOMPARE(cancelled.call.AsLockRequestCancel()->request, asked.call.AsLock()->request);
}

// The release of a lock that was granted with this token is not answered.
void LostAnswer::a_release_that_was_not_answered_comes_before_the_next_lock() {
    const test::TestHost host;
    host.use_in_this_process("played");
    PlayedManager manager(*resolve_paths("played"));
    std::vector<wire::RequestT> seen;
    std::thread play([&] {
        auto channel = manager.welcome();
        PlayedManager::grant(channel, PlayedManager::next(channel), kToken);
        seen.push_back(PlayedManager::next(channel));
        // Once more when it was given up, and then as a request that is answered.
        while (!seen.back().call.AsLock()) {
            seen.push_back(PlayedManager::next(channel));
            if (seen.back().call.AsUnlock()) PlayedManager::done(channel, seen.back());
            if (seen.back().call.type == wire::Call::NONE) return;
        }
        PlayedManager::refuse(channel, seen.back(), ErrorCode::region_not_found);
    });
    auto client = ManagerClient::connect({.timeout_ms = 1000});
    const RegionId id{17, 4};
    const auto grant = (*client)->lock(id, AccessMode::read_only, kFrameMs, kFirstOwner);
    const auto given = (*client)->unlock(id, kToken);
    const auto next = (*client)->lock(id, AccessMode::read_only, kFrameMs, kFirstOwner);
    play.join();
    QVERIFY(grant.has_value());
    QCOMPARE(given.error().code, ErrorCode::no_manager);
    QCOMPARE(next.error().code, ErrorCode::region_not_found);
    QVERIFY(seen.size() >= 3);
    for (std::size_t i = 0; i + 1 < seen.size(); ++i) {
        QVERIFY(seen[i].call.AsUnlock());
        QCOMPARE(seen[i].call.AsUnlock()->request, seen[0].call.AsUnlock()->request);
    }
}

// A manager knows the last request only: it would execute the earlier one again.
void LostAnswer::a_release_is_not_sent_before_an_earlier_one_was_executed() {
    const test::TestHost host;
    host.use_in_this_process("played");
    PlayedManager manager(*resolve_paths("played"));
    std::vector<wire::RequestT> seen;
    std::promise<void> given_up;
    std::thread play([&] {
        auto first = manager.welcome();
        for (int level = 0; level < 2; ++level)
            PlayedManager::grant(first, PlayedManager::next(first), kToken);
        given_up.get_future().wait();
        first.close();
        auto second = manager.welcome();
        while (seen.empty() || !seen.back().call.AsInfo()) {
            seen.push_back(PlayedManager::next(second));
            if (seen.back().call.type == wire::Call::NONE) return;
        }
        PlayedManager::refuse(second, seen.back(), ErrorCode::region_not_found);
        seen.push_back(PlayedManager::next(second));
    });
    auto client = ManagerClient::connect({.timeout_ms = 1000});
    const RegionId id{17, 4};
    for (int level = 0; level < 2; ++level)
        (void)(*client)->lock(id, AccessMode::read_only, kFrameMs, kFirstOwner);
    for (int level = 0; level < 2; ++level)
        QCOMPARE((*client)->unlock(id, kToken).error().code, ErrorCode::no_manager);
    given_up.set_value();
    (void)(*client)->info(id);
    play.join();
    // The first one, and what was answered; the second one after that.
    QCOMPARE(seen.size(), std::size_t{3});
    QVERIFY(seen[0].call.AsUnlock() && seen[1].call.AsInfo() && seen[2].call.AsUnlock());
    QVERIFY(seen[0].call.AsUnlock()->request != seen[2].call.AsUnlock()->request);
}

void LostAnswer::what_a_busy_connection_could_not_send_is_sent_when_it_is_free() {
    const test::TestHost host;
    host.use_in_this_process("played");
    PlayedManager manager(*resolve_paths("played"));
    const RegionId id{17, 4};
    std::promise<void> locking;
    bool cancelled = false;
    std::thread play([&] {
        auto channel = manager.welcome();
        (void)PlayedManager::next(channel);  // the lock, which is not answered
        locking.set_value();
        while (!cancelled) {
            const auto next = PlayedManager::next(channel);
            if (next.call.type == wire::Call::NONE) return;
            if (next.call.AsInfo())
                PlayedManager::refuse(channel, next, ErrorCode::region_not_found);
            cancelled = next.call.AsLockRequestCancel() != nullptr;
        }
    });
    auto client = ManagerClient::connect({.timeout_ms = kFrameMs});
    std::thread locks([&] { (void)(*client)->lock(id, AccessMode::read_write, 0, kFirstOwner); });
    locking.get_future().wait();
    std::vector<std::thread> others;
    for (int i = 0; i < 3; ++i) others.emplace_back([&] { (void)(*client)->info(id); });
    locks.join();
    for (auto& other : others) other.join();
    play.join();  // no further call is made
    QVERIFY(cancelled);
}

QTEST_GUILESS_MAIN(LostAnswer)
#include "tst_lost_answer.moc"
