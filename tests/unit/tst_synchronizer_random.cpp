// SPDX-License-Identifier: MIT
// Many owners and few regions at random, every answer compared with what a slow and simple judge
// says: who must be granted, who must wait, and whether a wait would close a circle.
#include <QtTest>
#include <array>
#include <map>
#include <random>
#include <set>

#include "lock_bench.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

namespace {

constexpr int kOwners = 14;  // two threads each of seven clients
constexpr std::uint32_t kSlots = 6;
constexpr int kSteps = 60'000;

LockOwner owner_of(int index) {
    return {static_cast<std::uint64_t>(index / 2) + 1, static_cast<std::uint32_t>(index % 2) + 1};
}

// The whole state, as it can be seen from outside.
struct Picture {
    struct Entry {
        LockOwner owner;
        bool writes;
    };
    std::array<std::vector<Entry>, kSlots> holders, waiters;

    explicit Picture(const Synchronizer& sync) {
        for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
            for (const auto& held : sync.holders(slot))
                holders[slot].push_back({held.owner(), held.writes()});
            for (const auto& waiter : sync.waiters(slot))
                waiters[slot].push_back({waiter.owner, waiter.mode == kWrite});
        }
    }
    const Entry* holds(const LockOwner& owner, std::uint32_t slot) const {
        for (const auto& entry : holders[slot])
            if (entry.owner == owner) return &entry;
        return nullptr;
    }
    bool fits(const LockOwner& owner, std::uint32_t slot, bool writes) const {
        for (const auto& entry : holders[slot])
            if (entry.owner != owner && (writes || entry.writes)) return false;
        return true;
    }
    void enqueue(const LockOwner& owner, std::uint32_t slot, bool writes) {
        auto& queue = waiters[slot];
        queue.insert(holds(owner, slot) ? queue.begin() : queue.end(), {owner, writes});
    }
    std::map<LockOwner, std::set<LockOwner>> edges() const {
        std::map<LockOwner, std::set<LockOwner>> out;
        for (std::uint32_t slot = 0; slot < kSlots; ++slot)
            for (std::size_t i = 0; i < waiters[slot].size(); ++i) {
                const auto& waiter = waiters[slot][i];
                for (const auto& entry : holders[slot])
                    if (entry.owner != waiter.owner && (waiter.writes || entry.writes))
                        out[waiter.owner].insert(entry.owner);
                for (std::size_t j = 0; j < i; ++j)
                    if (waiter.writes || waiters[slot][j].writes)
                        out[waiter.owner].insert(waiters[slot][j].owner);
            }
        return out;
    }
    bool has_circle() const {
        auto reach = edges();
        for (bool grew = true; grew;) {
            grew = false;
            for (auto& [from, to] : reach)
                for (const auto& middle : std::set(to))
                    if (const auto on = reach.find(middle); on != reach.end())
                        for (const auto& end : on->second) grew |= to.insert(end).second;
        }
        for (const auto& [from, to] : reach)
            if (to.contains(from)) return true;
        return false;
    }
    std::size_t waiting() const {
        std::size_t count = 0;
        for (const auto& queue : waiters) count += queue.size();
        return count;
    }
};

}  // namespace

class SynchronizerRandom : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void every_answer_is_the_simple_judges();

  private:
    struct Actor {
        std::map<std::uint32_t, std::pair<std::uint64_t, int>> holds;  // slot: token, levels
        std::uint32_t slot = 0;                                        // waited for
        AccessMode mode = kRead;
        std::uint32_t request = 0;
        std::uint64_t ticket = 0;  // 0: not waiting
    };
    void ask(int index, std::uint32_t slot, AccessMode mode, std::uint32_t request);
    void give_back(int index);
    void collect();
    void die(int client);
    void restart();
    void check();

    LockBench bench_;
    std::array<Actor, kOwners> actors_;
    std::minstd_rand random_{20260101};
    int refused_ = 0, queued_ = 0, granted_ = 0;
};

void SynchronizerRandom::ask(int index, std::uint32_t slot, AccessMode mode,
                             std::uint32_t request) {
    auto& actor = actors_[static_cast<std::size_t>(index)];
    const auto owner = owner_of(index);
    const bool writes = mode == kWrite;
    Picture picture(*bench_.sync);
    const auto* own = picture.holds(owner, slot);
    const bool deeper = own && (own->writes || !writes);
    const bool free = (own || picture.waiters[slot].empty()) && picture.fits(owner, slot, writes);
    const auto answer = bench_.ask(owner, slot, mode, LockRequest::kForever, request);
    if (deeper || free) {
        QCOMPARE(answer.state, LockState::granted);
        auto& [token, levels] = actor.holds[slot];
        token = answer.token;
        ++levels;
        ++granted_;
        return;
    }
    picture.enqueue(owner, slot, writes);
    QCOMPARE(answer.state, picture.has_circle() ? LockState::deadlock : LockState::queued);
    if (answer.state == LockState::deadlock) {
        ++refused_;
        const auto edges = picture.edges();
        QCOMPARE(answer.cycle.front().from, owner);
        QCOMPARE(answer.cycle.back().to, owner);
        for (const auto& edge : answer.cycle) QVERIFY(edges.at(edge.from).contains(edge.to));
        return;
    }
    ++queued_;
    actor.slot = slot;
    actor.mode = mode;
    actor.request = request;
    actor.ticket = answer.ticket;
}

void SynchronizerRandom::give_back(int index) {
    auto& actor = actors_[static_cast<std::size_t>(index)];
    if (actor.holds.empty()) return;
    auto held = actor.holds.begin();
    std::advance(held, random_() % actor.holds.size());
    QVERIFY(bench_.unlock(owner_of(index), held->first, held->second.first));
    if (--held->second.second == 0) actor.holds.erase(held);
}

// Now and then one gives up waiting; then those whose wait has ended learn of it.
void SynchronizerRandom::collect() {
    for (const bool giving_up : {true, false})
        for (int i = 0; i < kOwners; ++i) {
            auto& actor = actors_[static_cast<std::size_t>(i)];
            if (actor.ticket == 0 || (giving_up && random_() % 200 != 0)) continue;
            const auto serial = owner_of(i).serial;
            const auto answer = giving_up ? bench_.sync->cancel(serial, actor.ticket)
                                          : bench_.sync->poll(serial, actor.ticket);
            if (answer.state == LockState::queued) continue;
            actor.ticket = 0;
            if (giving_up && answer.state == LockState::timed_out) continue;
            QCOMPARE(answer.state, LockState::granted);  // also to who gave up too late
            auto& [token, levels] = actor.holds[actor.slot];
            token = answer.token;
            ++levels;
        }
}

void SynchronizerRandom::die(int client) {
    bench_.sync->drop(owner_of(client * 2).serial);
    for (const int index : {client * 2, client * 2 + 1})
        actors_[static_cast<std::size_t>(index)] = {};
}

// Those who waited ask again with their numbers, in some order.
void SynchronizerRandom::restart() {
    bench_.restart();
    check();
    for (int i = 0; i < kOwners; ++i) {
        auto& actor = actors_[static_cast<std::size_t>(i)];
        if (std::exchange(actor.ticket, 0) != 0) ask(i, actor.slot, actor.mode, actor.request);
    }
}

void SynchronizerRandom::check() {
    const Picture picture(*bench_.sync);
    QVERIFY(!picture.has_circle());
    QVERIFY(picture.waiting() < kOwners);
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
        for (const auto& entry : picture.holders[slot])
            QVERIFY(!entry.writes || picture.holders[slot].size() == 1);
        if (picture.waiters[slot].empty()) continue;
        const auto& head = picture.waiters[slot].front();  // has to wait, or it would not
        QVERIFY(!picture.fits(head.owner, slot, head.writes));
    }
    for (int i = 0; i < kOwners; ++i) {
        std::size_t held = 0;
        for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
            const auto [read, write] = bench_.levels(owner_of(i), slot);
            const auto mine = actors_[static_cast<std::size_t>(i)].holds.find(slot);
            const bool known = mine != actors_[static_cast<std::size_t>(i)].holds.end();
            QCOMPARE(read + write, known ? mine->second.second : 0);
            held += read + write > 0 ? 1 : 0;
        }
        QCOMPARE(held, actors_[static_cast<std::size_t>(i)].holds.size());
    }
}

void SynchronizerRandom::every_answer_is_the_simple_judges() {
    for (int step = 0; step < kSteps && !QTest::currentTestFailed(); ++step) {
        const int index = static_cast<int>(random_() % kOwners);
        auto& actor = actors_[static_cast<std::size_t>(index)];
        if (random_() % 500 == 0)
            die(index / 2);
        else if (random_() % 1000 == 0)
            restart();
        else if (actor.ticket == 0 && random_() % 100 < 55)
            ask(index, random_() % kSlots, random_() % 3 == 0 ? kWrite : kRead, ++bench_.requests);
        else if (actor.ticket == 0)
            give_back(index);
        collect();
        check();
    }
    QVERIFY(refused_ > 500 && queued_ > 1000 && granted_ > 1000);
}

QTEST_GUILESS_MAIN(SynchronizerRandom)
#include "tst_synchronizer_random.moc"
