// SPDX-License-Identifier: MIT
#include "lock_owners.h"

#include <atomic>
#include <iostream>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "base/lock_owner.h"
#include "client/manager_client.h"

using namespace snakepit::shm;

namespace {

constexpr int kThreads = 3, kOwnersOfOne = 4;
constexpr std::size_t kMostHeld = 3;  // regions of one owner

// What all owners have, as they know it: entered after a grant and left before the release.
class Ledger {
  public:
    void enter(const RegionId& id, std::uint32_t owner, bool writes) {
        const std::lock_guard held(mutex_);
        for (const auto& [other, levels] : regions_[id]) {
            if (other == owner) continue;
            if (levels.write > 0) complain(writes ? "two writers" : "a reader beside a writer");
            if (levels.read > 0 && writes) complain("a writer beside a reader");
        }
        auto& own = regions_[id][owner];
        ++(writes || own.write > 0 ? own.write : own.read);
    }
    void leave(const RegionId& id, std::uint32_t owner) {
        const std::lock_guard held(mutex_);
        auto& own = regions_[id][owner];
        --(own.write > 0 ? own.write : own.read);
    }
    void complain(const std::string& what) {
        if (trouble_.empty()) trouble_ = what;
        failed = true;
    }
    void complain_about(const Error& error) {
        const std::lock_guard held(mutex_);
        complain(error.sentence());
    }
    std::string trouble() {
        const std::lock_guard held(mutex_);
        return trouble_;
    }
    std::atomic<int> locks{0}, deadlocks{0};
    std::atomic<bool> failed{false};

  private:
    struct Levels {
        int read = 0, write = 0;
    };
    std::mutex mutex_;
    std::map<RegionId, std::map<std::uint32_t, Levels>> regions_;
    std::string trouble_;
};

// One owner: requests without waiting, and does something else while it is queued.
class Owner {
  public:
    Owner(ManagerClient& client, Ledger& ledger, const std::vector<RegionId>& ids,
          std::uint32_t number)
        : client_(client), ledger_(ledger), ids_(ids), number_(number) {}

    void step(std::minstd_rand& random) {
        if (ticket_ != 0) return poll(random);
        if (held_.size() >= kMostHeld || (!held_.empty() && random() % 2 == 0)) return release();
        wanted_ = ids_[random() % ids_.size()];
        writes_ = random() % 3 == 0;
        const auto mode = writes_ ? AccessMode::read_write : AccessMode::read_only;
        if (random() % 2 == 0) {
            const auto timeout = static_cast<std::uint32_t>(random() % 3);
            return settle(client_.lock(wanted_, mode, timeout, number_));
        }
        const auto begun = client_.lock_begin(wanted_, mode, number_);
        if (!begun) return refused(begun.error());
        ticket_ = *begun;
    }
    void finish() {
        if (ticket_ != 0) {
            if (const auto ended = client_.lock_cancel(ticket_); !ended) refused(ended.error());
            ticket_ = 0;
        }
        while (held_.size() > 1) release();
    }

  private:
    void poll(std::minstd_rand& random) {
        if (random() % 20 == 0) {
            const auto ended = client_.lock_cancel(std::exchange(ticket_, 0));
            return ended ? void() : refused(ended.error());
        }
        const auto granted = client_.lock_wait(ticket_, 0);
        if (granted && !*granted) return;
        ticket_ = 0;
        if (granted) return settle(**granted);
        refused(granted.error());
    }
    void settle(const Result<LockGrant>& granted) {
        if (!granted) return refused(granted.error());
        ledger_.enter(wanted_, number_, writes_);
        ++ledger_.locks;
        held_.push_back({wanted_, granted->token});
    }
    // Gives up everything after a deadlock, as programs should.
    void refused(const Error& error) {
        // Within a millisecond the manager may not answer, or another thread ask it.
        if (error.code == ErrorCode::timeout || error.code == ErrorCode::no_manager) return;
        if (error.code != ErrorCode::deadlock) return ledger_.complain_about(error);
        ++ledger_.deadlocks;
        while (!held_.empty()) release();
    }
    void release() {
        const auto [id, token] = held_.back();
        held_.pop_back();
        ledger_.leave(id, number_);
        if (const auto given = client_.unlock(id, token); !given)
            ledger_.complain_about(given.error());
    }

    ManagerClient& client_;
    Ledger& ledger_;
    const std::vector<RegionId>& ids_;
    std::uint32_t number_;
    std::vector<std::pair<RegionId, std::uint64_t>> held_;  // one entry a level
    std::uint64_t ticket_ = 0;
    RegionId wanted_;
    bool writes_ = false;
};

}  // namespace

int run_lock_owners(const QStringList& words) {
    const auto client = ManagerClient::connect({.timeout_ms = 60'000});
    if (!client) return 2;
    std::cout << "ready" << std::endl;
    const int locks = words.at(1).toInt();
    const auto seed = words.at(2).toUInt();
    std::vector<RegionId> ids;
    for (const auto& word : words.mid(3)) ids.push_back(*RegionId::parse(word.toStdString()));
    Ledger ledger;
    std::vector<std::thread> threads;
    for (unsigned thread = 0; thread < kThreads; ++thread)
        threads.emplace_back([&, thread] {
            std::minstd_rand random(seed * kThreads + thread + 1);
            std::vector<Owner> owners;
            for (unsigned i = 0; i < kOwnersOfOne; ++i)
                owners.emplace_back(**client, ledger, ids, kFirstOwner + thread * kOwnersOfOne + i);
            while (ledger.locks < locks && !ledger.failed)
                owners[random() % owners.size()].step(random);
            for (auto& owner : owners) owner.finish();
        });
    for (auto& thread : threads) thread.join();
    const auto trouble = ledger.trouble();
    std::cout << (trouble.empty() ? "done " + std::to_string(ledger.locks) + " " +
                                        std::to_string(ledger.deadlocks)
                                  : trouble)
              << std::endl;
    std::string line;
    std::getline(std::cin, line);
    return 0;
}
