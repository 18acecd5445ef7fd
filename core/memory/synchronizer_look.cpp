// SPDX-License-Identifier: MIT
// Who holds and waits for what.
#include <algorithm>

#include "memory/synchronizer.h"

namespace snakepit::shm {

std::optional<Synchronizer::Held> Synchronizer::find(const LockOwner& owner,
                                                     std::uint32_t slot) const {
    const auto found = holds_.find({owner, slot});
    if (found == holds_.end()) return std::nullopt;
    return held(found->second);
}

std::optional<Synchronizer::Held> Synchronizer::find(std::uint64_t serial, std::uint32_t slot,
                                                     std::uint64_t token) const {
    const auto client = clients_.find(serial);
    if (client == clients_.end()) return std::nullopt;
    const auto& holds = client->second.holds;
    for (auto it = holds.lower_bound({slot, 0}); it != holds.end() && it->first == slot; ++it)
        if (const auto one = find(LockOwner{serial, it->second}, slot); one->lock.token == token)
            return one;
    return std::nullopt;
}

std::vector<Synchronizer::Held> Synchronizer::held_by(std::uint64_t serial) const {
    std::vector<Held> out;
    const auto client = clients_.find(serial);
    if (client == clients_.end()) return out;
    for (const auto& [slot, thread] : client->second.holds)
        out.push_back(*find(LockOwner{serial, thread}, slot));
    return out;
}

std::vector<std::uint64_t> Synchronizer::serials() const {
    std::vector<std::uint64_t> out;
    for (const auto& [serial, client] : clients_) out.push_back(serial);
    return out;
}

std::vector<std::uint64_t> Synchronizer::same_process(std::uint64_t serial) const {
    const auto client = clients_.find(serial);
    const auto process =
        client == clients_.end() ? processes_.end() : processes_.find(client->second.process);
    if (process == processes_.end()) return {serial};
    return {process->second.begin(), process->second.end()};
}

std::size_t Synchronizer::held_count() const {
    auto count = holds_.size();
    for (const auto& [slot, one] : delegated_)
        if (held(one, look(one))) ++count;
    return count;
}

bool Synchronizer::locked(std::uint32_t slot) const {
    if (queues_.contains(slot)) return true;
    const auto own = delegated_.find(slot);
    return own != delegated_.end() && held(own->second, look(own->second)).has_value();
}

std::vector<Synchronizer::Held> Synchronizer::holders(std::uint32_t slot) const {
    std::vector<Held> out;
    if (const auto own = delegated_.find(slot); own != delegated_.end()) {
        if (const auto one = held(own->second, look(own->second))) out.push_back(*one);
        return out;
    }
    const auto queue = queues_.find(slot);
    if (queue == queues_.end()) return out;
    for (const auto index : queue->second.holders) out.push_back(held(index));
    return out;
}

std::vector<Synchronizer::Waiter> Synchronizer::waiters(std::uint32_t slot) const {
    std::vector<Waiter> out;
    const auto queue = queues_.find(slot);
    if (queue == queues_.end()) return out;
    for (const auto& [order, wait] : queue->second.waiting)
        out.push_back({wait->what.owner, wait->what.mode, wait->since});
    return out;
}

std::vector<Synchronizer::Oldest> Synchronizer::longest_waits(std::size_t most) const {
    std::vector<Oldest> out;
    for (const auto& [asked, ticket] : by_age_) {
        if (out.size() == most) break;
        out.push_back({waits_.at(ticket).what.slot, asked});
    }
    return out;
}

std::vector<std::uint32_t> Synchronizer::slots(std::uint32_t slot) const {
    std::vector<std::uint32_t> out;
    for (auto it = queues_.lower_bound(slot); it != queues_.end(); ++it)
        if (!delegated_.contains(it->first)) out.push_back(it->first);
    const auto ordinary = static_cast<std::ptrdiff_t>(out.size());
    for (const auto& [own, one] : delegated_)
        if (own >= slot && (queues_.contains(own) || held(one, look(one)))) out.push_back(own);
    std::sort(out.begin() + ordinary, out.end());
    std::inplace_merge(out.begin(), out.begin() + ordinary, out.end());
    return out;
}

}  // namespace snakepit::shm
