// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include "client/connection.h"
#include "layout/signals_layout.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

// Where signal words are mapped in this process, and the threads of this client that sleep on them.
class SignalClient {
  public:
    explicit SignalClient(Connection& connection) : connection_(connection) {}

    // With the connection locked: maps the word at `offset` of the file. A window of a user's file
    // is mapped once and stays; the page of a region is the caller's.
    struct Place {
        std::shared_ptr<Mapping> mapping;
        layout::SignalWord* word = nullptr;
    };
    Result<Place> map(const Handle& file, std::uint64_t offset);
    // Any thread, until the word's value is not `seen`, for at most `timeout_ms`, or until the
    // client is closed. The caller keeps the word mapped.
    void sleep(const layout::SignalWord& word, std::uint64_t seen, int timeout_ms);
    // Tells the manager that the word was changed while the manager waited for that.
    void tell(std::uint32_t slot, std::uint64_t generation);
    // The client was closed.
    void wake_sleepers();
    // In a forked child: forgets the mappings, which it never got.
    void abandon();

  private:
    Connection& connection_;
    // By device, inode and number of the window; under the client's mutex.
    std::map<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>, std::shared_ptr<Mapping>>
        windows_;
    std::mutex mutex_;  // guards the following
    std::list<const layout::SignalWord*> asleep_;
};

}  // namespace snakepit::shm
