// SPDX-License-Identifier: MIT
#include "client/signal_client.h"

#include <chrono>
#include <thread>

#include "platform/wait_word.h"

namespace snakepit::shm {

using layout::SignalOffsets;
using layout::SignalWord;

namespace {

// How long a notifier waits for another call of its client, to tell the manager. If that is not
// enough the manager finds out by itself.
constexpr int kTellMs = 5;
// Of a thread that closes the client, while others leave; then they leave when they look again.
constexpr int kLongestPauseMs = 32;

}  // namespace

Result<SignalClient::Place> SignalClient::map(const Handle& file, std::uint64_t offset) {
    SHM_ASSIGN(const auto size, size_of(file));
    if (offset % sizeof(SignalWord) != 0 || offset + sizeof(SignalWord) > size)
        return unexpected_answer();
    const auto bytes = size < SignalOffsets::window ? SignalOffsets::page : SignalOffsets::window;
    const auto window = offset / bytes;
    SHM_ASSIGN(const auto identity, identity_of(file));
    const bool shared = bytes == SignalOffsets::window;
    std::shared_ptr<Mapping> mapping;
    if (shared) mapping = windows_[{identity.device, identity.inode, window}];
    if (!mapping) {
        SHM_ASSIGN(auto made,
                   Mapping::map(file, bytes, Mapping::Access::read_write, false, window * bytes));
        mapping = std::make_shared<Mapping>(std::move(made));
        if (shared) windows_[{identity.device, identity.inode, window}] = mapping;
    }
    auto* const word = reinterpret_cast<SignalWord*>(mapping->data() + offset % bytes);
    return Place{std::move(mapping), word};
}

// On the list before it asks whether the client is closed, so that wake_sleepers() sees it.
void SignalClient::sleep(const SignalWord& word, std::uint64_t seen, int timeout_ms) {
    std::unique_lock held(mutex_);
    const auto own = asleep_.insert(asleep_.end(), &word);
    held.unlock();
    if (!connection_.closed()) wait_while(word.low(), SignalWord::low(seen), timeout_ms);
    held.lock();
    asleep_.erase(own);
}

// Until all have left: a thread may be about to fall asleep.
void SignalClient::wake_sleepers() {
    for (int pause = 1; pause <= kLongestPauseMs; pause *= 2) {
        {
            const std::lock_guard held(mutex_);
            if (asleep_.empty()) return;
            for (const auto* word : asleep_) wake_all(word->low());
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(pause));
    }
}

void SignalClient::tell(std::uint32_t slot, std::uint64_t generation) {
    wire::SignalledT call;
    call.slot = slot;
    call.generation = generation;
    wire::RequestT request;
    request.call.Set(std::move(call));
    const auto until = monotonic_nanos() + kTellMs * 1'000'000LL;
    if (const auto held = connection_.lock(Deadline{until, until}))
        connection_.tell(std::move(request));
}

void SignalClient::abandon() {
    for (auto& [place, mapping] : windows_)
        if (mapping) mapping->abandon();
}

}  // namespace snakepit::shm
