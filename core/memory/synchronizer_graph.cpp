// SPDX-License-Identifier: MIT
// The wait graph, and the search for cycles.
#include <algorithm>
#include <deque>

#include "base/lock_owner.h"
#include "memory/synchronizer.h"

namespace snakepit::shm {

// Each queue is walked once per search, however many of its waiters are reached: up to `all` every
// earlier waiter was visited, up to `writers` only the writers.
struct Synchronizer::Search {
    struct Walked {
        bool holders = false;
        std::int64_t all = INT64_MIN;
        std::int64_t writers = INT64_MIN;
    };
    std::vector<LockOwner> requester;  // as an owner of each of its clients
    std::unordered_map<LockOwner, LockWaitEdge, OwnerHash> reached;  // and by which edge first
    std::deque<const Wait*> open;
    std::unordered_map<std::uint32_t, Walked> walked;
};

const Synchronizer::Wait* Synchronizer::queued(const LockOwner& owner) const {
    const auto ticket = ticket_of_.find(owner);
    if (ticket == ticket_of_.end()) return nullptr;
    const auto& wait = waits_.at(ticket->second);
    return wait.state == LockState::queued ? &wait : nullptr;
}

std::vector<LockOwner> Synchronizer::same_thread(const LockOwner& owner) const {
    if (!is_thread(owner.thread)) return {owner};
    std::vector<LockOwner> out;
    for (const auto serial : same_process(owner.serial)) out.push_back({serial, owner.thread});
    return out;
}

// Whether `wait` waits for the requester. Searched separately for each waiter, because a search
// excludes its starting point.
std::optional<LockWaitEdge> Synchronizer::edge_to(const Search& search, const Wait& wait,
                                                  const Wait& start) const {
    const auto slot = wait.what.slot;
    const bool writes = wait.what.mode == AccessMode::read_write;
    for (const auto& owner : search.requester) {
        if (owner == wait.what.owner) continue;
        const auto own = find(owner, slot);
        if (own && (writes || own->writes()))
            return LockWaitEdge{wait.what.owner, slot, owner, true};
    }
    const bool ahead = start.what.slot == slot && start.order < wait.order;
    if (ahead && (writes || start.what.mode == AccessMode::read_write))
        return LockWaitEdge{wait.what.owner, slot, start.what.owner, false};
    return std::nullopt;
}

// Every owner that `wait` waits for and that was not reached yet.
void Synchronizer::expand(Search& search, const Wait& wait) const {
    const auto slot = wait.what.slot;
    const auto& queue = queues_.at(slot);
    auto& walked = search.walked[slot];
    const auto reach = [&](const LockOwner& to, bool is_holder) {
        if (to == wait.what.owner) return;
        const auto as = same_thread(to);
        if (!search.reached.emplace(as.front(), LockWaitEdge{wait.what.owner, slot, to, is_holder})
                 .second)
            return;
        for (const auto& one : as)
            if (const auto* next = queued(one)) search.open.push_back(next);
    };
    const bool writes = wait.what.mode == AccessMode::read_write;
    if ((writes || writer_in(queue)) && !std::exchange(walked.holders, true))
        for (const auto index : queue.holders) reach(held(index).owner(), true);
    const auto from = writes ? walked.all : std::max(walked.all, walked.writers);
    for (auto it = queue.waiting.lower_bound(from);
         it != queue.waiting.end() && it->first < wait.order; ++it)
        if (writes || it->second->what.mode == AccessMode::read_write)
            reach(it->second->what.owner, false);
    auto& mark = writes ? walked.all : walked.writers;
    mark = std::max(mark, wait.order);
}

// Breadth first, so that the reported cycle is the shortest. Empty: no cycle.
std::vector<LockWaitEdge> Synchronizer::find_cycle(const Wait& start) const {
    Search search;
    search.requester = same_thread(start.what.owner);
    search.open.push_back(&start);
    const auto requester = search.requester.front();
    while (!search.open.empty()) {
        const auto& wait = *search.open.front();
        search.open.pop_front();
        if (const auto last = edge_to(search, wait, start)) {
            std::vector<LockWaitEdge> cycle{*last};
            for (auto from = same_thread(last->from).front(); from != requester;
                 from = same_thread(cycle.back().from).front())
                cycle.push_back(search.reached.at(from));
            std::reverse(cycle.begin(), cycle.end());
            return cycle;
        }
        expand(search, wait);
    }
    return {};
}

std::vector<LockWaitEdge> Synchronizer::waits_for(const LockOwner& owner, std::size_t most) const {
    std::vector<LockWaitEdge> out;
    const auto* wait = queued(owner);
    if (!wait) return out;
    const auto& queue = queues_.at(wait->what.slot);
    const bool writes = wait->what.mode == AccessMode::read_write;
    const auto add = [&](const LockOwner& to, bool is_holder) {
        if (to != owner && out.size() < most)
            out.push_back({owner, wait->what.slot, to, is_holder});
    };
    if (writes || writer_in(queue))
        for (const auto index : queue.holders) add(held(index).owner(), true);
    for (const auto& [order, earlier] : queue.waiting) {
        if (order >= wait->order || out.size() >= most) break;
        if (writes || earlier->what.mode == AccessMode::read_write) add(earlier->what.owner, false);
    }
    return out;
}

}  // namespace snakepit::shm
