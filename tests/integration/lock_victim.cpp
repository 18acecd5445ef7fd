// SPDX-License-Identifier: MIT
#include "lock_victim.h"

#include <unistd.h>

#include <atomic>
#include <iostream>
#include <mutex>
#include <random>
#include <thread>

#include "client/manager_client.h"

using namespace snakepit::shm;

namespace {

constexpr unsigned kThreads = 2;

// In each region. A writer has its number in `writer` while it is in, and makes `first` and
// `second` differ for a moment; a killed one leaves that to whoever is told.
struct Contents {
    std::uint64_t writer, first, second, locks;
};

std::mutex complaining;

[[noreturn]] void complain(const std::string& what) {
    const std::lock_guard held(complaining);
    std::cout << "wrong: " << what << std::endl;
    ::_exit(3);
}

std::atomic_ref<std::uint64_t> word(std::uint64_t& value) {
    return std::atomic_ref(value);
}

class Victim {
  public:
    Victim(ManagerClient& client, const std::vector<RegionId>& ids,
           const std::vector<Contents*>& contents, unsigned seed, std::size_t own)
        : client_(client),
          ids_(ids),
          contents_(contents),
          random_(seed),
          own_(own),
          me_(std::uint64_t{static_cast<std::uint32_t>(::getpid())} << 8 | (seed % 256)) {}

    [[noreturn]] void run() {
        for (;;) step();
    }

  private:
    std::uint64_t lock(const RegionId& id, AccessMode mode, bool& inconsistent) {
        const auto granted = client_.lock(id, mode, kLockForever);
        if (!granted) complain(granted.error().sentence());
        inconsistent = granted->inconsistent;
        return granted->token;
    }
    void unlock(const RegionId& id, std::uint64_t token) {
        if (const auto given = client_.unlock(id, token); !given)
            complain(given.error().sentence());
    }
    void step() {
        const auto index = random_() % 5 == 0 ? random_() % ids_.size() : own_;
        const auto& id = ids_[index];
        auto& there = *contents_[index];
        const auto writes = random_() % 2 == 0;
        bool inconsistent = false;
        const auto token =
            lock(id, writes ? AccessMode::read_write : AccessMode::read_only, inconsistent);
        word(there.locks).fetch_add(1);
        if (writes)
            write(there, inconsistent);
        else if (!inconsistent)
            read(there);
        if (random_() % 4 == 0) {  // deeper, and not up: two readers that go up are a deadlock
            bool same = false;
            if (lock(id, writes ? AccessMode::read_write : AccessMode::read_only, same) != token)
                complain("a deeper level has another token");
            unlock(id, token);
            if (writes) write(there, true);
        }
        if (writes) word(there.writer).store(0);
        unlock(id, token);
    }
    void write(Contents& there, bool left_over) const {
        const auto before = word(there.writer).exchange(me_);
        if (before != 0 && before != me_ && !left_over)
            complain("another writer is in, or its death was not told");
        if (word(there.first).load() != word(there.second).load() && !left_over)
            complain("another writer was interrupted, and that was not told");
        const auto next = word(there.first).load() + 1;
        word(there.first).store(next);
        word(there.second).store(next);
        if (word(there.writer).load() != me_) complain("another writer came in");
    }
    static void read(Contents& there) {
        if (word(there.writer).load() != 0) complain("a writer beside a reader");
        const auto first = word(there.first).load();
        if (first != word(there.second).load()) complain("a reader sees half of a change");
        if (word(there.first).load() != first || word(there.writer).load() != 0)
            complain("a writer came in beside a reader");
    }

    ManagerClient& client_;
    const std::vector<RegionId>& ids_;
    const std::vector<Contents*>& contents_;
    std::minstd_rand random_;
    std::size_t own_;
    std::uint64_t me_;
};

}  // namespace

int run_lock_victim(const QStringList& words) {
    const auto client = ManagerClient::connect({.timeout_ms = 60'000, .await_restart = true});
    if (!client) complain(client.error().sentence());
    const auto seed = words.at(1).toUInt();
    const auto own = words.at(2).toUInt();
    std::vector<RegionId> ids;
    std::vector<Contents*> contents;
    for (const auto& text : words.mid(3)) {
        ids.push_back(*RegionId::parse(text.toStdString()));
        const auto mapped = (*client)->map(ids.back(), AccessMode::read_write);
        if (!mapped) complain(mapped.error().sentence());
        contents.push_back(reinterpret_cast<Contents*>(mapped->data));
    }
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kThreads; ++i)
        threads.emplace_back(
            [&, i] { Victim(**client, ids, contents, seed * kThreads + i + 1, own).run(); });
    std::cout << "ready" << std::endl;
    for (auto& thread : threads) thread.join();
    return 0;
}
