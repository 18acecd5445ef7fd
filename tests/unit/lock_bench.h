// SPDX-License-Identifier: MIT
// A Synchronizer over a file of its own, and those who ask it.
#pragma once

#include <QTemporaryDir>
#include <memory>
#include <string>

#include "memory/synchronizer.h"

namespace snakepit::shm::test {

constexpr auto kRead = AccessMode::read_only;
constexpr auto kWrite = AccessMode::read_write;

class LockBench {
  public:
    LockBench() : directory_("/dev/shm/snakepit-test-XXXXXX") { start(); }
    // What kill -9 leaves is what this leaves: nothing is written on the way out.
    void restart() {
        sync.reset();
        start();
    }
    LockAnswer ask(const LockOwner& owner, std::uint32_t slot, AccessMode mode,
                   std::int64_t deadline = LockRequest::kForever, std::uint32_t request = 0) {
        const LockRequest asked{slot,     1,  owner,  mode, request != 0 ? request : ++requests,
                                deadline, {}, process};
        const auto answer = sync->ask(asked);
        if (!answer) qFatal("%s", answer.error().sentence().c_str());
        return *answer;
    }
    // False: there is no such lock.
    bool unlock(const LockOwner& owner, std::uint32_t slot, std::uint64_t token,
                std::uint32_t request = 0) {
        const auto held = sync->find(owner.serial, slot, token);
        if (held) sync->unlock(*held, request != 0 ? request : ++requests);
        return held.has_value();
    }
    LockState poll(const LockOwner& owner, const LockAnswer& queued) {
        return sync->poll(owner.serial, queued.ticket).state;
    }
    // Read and write levels that the owner has of the region.
    std::pair<int, int> levels(const LockOwner& owner, std::uint32_t slot) const {
        for (const auto& held : sync->holders(slot))
            if (held.owner() == owner) return {held.levels.read, held.levels.write};
        return {0, 0};
    }

    std::unique_ptr<Synchronizer> sync;
    std::uint32_t requests = 0;  // the last number given to one
    std::uint64_t process = 0;   // of those that ask

  private:
    void start() {
        auto table = LockTable::open(directory_.filePath("locks").toStdString(), 7);
        if (!table) qFatal("%s", table.error().sentence().c_str());
        sync = std::make_unique<Synchronizer>(std::move(*table));
    }
    QTemporaryDir directory_;
};

}  // namespace snakepit::shm::test
