// SPDX-License-Identifier: MIT
#include "registry/reference_counter.h"

#include <algorithm>

#include "platform/fault_guard.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// The manager's compare-and-swap fails only because of the client itself; if it keeps failing, the
// client counts as a holder.
constexpr int kCasAttempts = 64;

}  // namespace

std::vector<std::uint16_t>& ReferenceCounter::grantees(std::uint32_t slot) {
    if (slot >= grantees_.size()) grantees_.resize(slot + 1);
    return grantees_[slot];
}

void ReferenceCounter::forget(std::uint32_t client, std::uint32_t slot) {
    auto& list = grantees(slot);
    list.erase(std::remove(list.begin(), list.end(), static_cast<std::uint16_t>(client)),
               list.end());
}

std::vector<std::uint32_t> ReferenceCounter::clients() const {
    std::vector<std::uint32_t> out;
    for (std::uint32_t i = 0; i < pages_.size(); ++i)
        if (pages_[i]) out.push_back(i);
    return out;
}

void ReferenceCounter::mark_hostile(std::uint32_t client) {
    auto& hostile = grants_.record(client).hostile;
    if (hostile == 0) newly_hostile_.push_back(client);
    hostile = 1;
}

Status ReferenceCounter::grant(std::uint32_t client, std::uint32_t slot, std::uint64_t generation,
                               AccessMode access) {
    const auto cut = [] {
        return fail(ErrorCode::security_violation, "the lease page was truncated",
                    "restart this program");
    };
    if (hostile(client)) return cut();
    if (auto reserved = reserve(client, slot); !reserved) return hostile(client) ? cut() : reserved;
    const auto before = grants_.grant(client, slot);
    const bool again = GrantWord::matches(before, generation);
    auto mode = static_cast<std::uint8_t>(access);
    if (again) mode = std::max(mode, GrantWord::mode(before));
    grants_.set_grant(client, slot, GrantWord::make(generation, mode));
    if (!again) {
        forget(client, slot);
        grantees(slot).push_back(static_cast<std::uint16_t>(client));
    }

    auto& page = *pages_[client];
    const FaultGuard guard(page.mapping.data(), page.mapping.size());
    // The count of the slot's earlier region does not belong to this one.
    if (!again) page.lease.acquisitions(slot).store(0, std::memory_order_relaxed);
    auto& word = page.lease.word(slot);
    auto seen = word.load(std::memory_order_relaxed);
    for (int i = 0; i < kCasAttempts; ++i) {
        // A client that repeats a request after a lost answer may already hold references.
        if (again && LeaseWord::generation(seen) == generation && LeaseWord::n(seen) >= 1) break;
        // Release: the region's zeroed pages and its slot are visible before the grant.
        if (word.compare_exchange_weak(seen, LeaseWord::make(generation, 1),
                                       std::memory_order_release, std::memory_order_relaxed))
            break;
    }
    if (guard.faulted()) {
        mark_hostile(client);
        return cut();
    }
    return {};
}

bool ReferenceCounter::granted(std::uint32_t client, std::uint32_t slot, std::uint64_t generation,
                               AccessMode access) const {
    const auto grant = grants_.grant(client, slot);
    return GrantWord::matches(grant, generation) &&
           GrantWord::mode(grant) >= static_cast<std::uint8_t>(access);
}

// Withdraws an idle grant. False: the client holds references, or is hostile (its grants end with
// the process), or kept changing the word.
bool ReferenceCounter::withdraw(std::uint32_t client, std::uint32_t slot,
                                std::uint64_t generation) {
    if (hostile(client)) return false;
    auto& page = *pages_[client];
    const FaultGuard guard(page.mapping.data(), page.mapping.size());
    auto& word = page.lease.word(slot);
    auto seen = word.load(std::memory_order_relaxed);
    bool held = false;
    for (int i = 0; i < kCasAttempts; ++i) {
        held = LeaseWord::generation(seen) == generation && LeaseWord::n(seen) >= 2;
        const bool idle = LeaseWord::generation(seen) == generation && LeaseWord::n(seen) == 1;
        if (!idle) break;  // held, or a value that the page cannot have
        held = true;       // until the exchange succeeds
        // Acquire: what the client did to the region came before its release of the reference.
        if (word.compare_exchange_weak(seen, LeaseWord::make(generation, 0),
                                       std::memory_order_acquire, std::memory_order_relaxed)) {
            held = false;
            break;
        }
    }
    if (guard.faulted()) {
        mark_hostile(client);
        held = true;
    }
    return !held;
}

bool ReferenceCounter::reclaim(std::uint32_t slot, std::uint64_t generation) {
    bool all = true;
    const auto list = grantees(slot);  // a copy: forget() changes it
    for (const auto client : list) {
        if (!withdraw(client, slot, generation)) {
            all = false;
            continue;
        }
        grants_.set_grant(client, slot, 0);
        forget(client, slot);
    }
    return all;
}

// Acquire: what the client did to the region came before its release of the reference.
std::optional<std::uint64_t> ReferenceCounter::word(std::uint32_t client, std::uint32_t slot) {
    if (hostile(client)) return std::nullopt;
    auto& page = *pages_[client];
    const FaultGuard guard(page.mapping.data(), page.mapping.size());
    const auto word = page.lease.word(slot).load(std::memory_order_acquire);
    if (!guard.faulted()) return word;
    mark_hostile(client);
    return std::nullopt;
}

ReferenceCounter::Ended ReferenceCounter::end_grants(std::uint32_t slot, std::uint64_t generation,
                                                     bool take_idle) {
    Ended ended;
    const auto list = grantees(slot);  // a copy: forget() changes it
    for (const auto client : list) {
        if (!GrantWord::matches(grants_.grant(client, slot), generation)) continue;
        const auto seen = word(client, slot);
        if (!seen) continue;
        const bool ours = LeaseWord::generation(*seen) == generation;
        const bool idle = ours && LeaseWord::n(*seen) == 1;
        ended.idle = ended.idle || (idle && !take_idle);
        if (ours && LeaseWord::n(*seen) >= 1 && !(idle && take_idle)) continue;
        // Once the word is (gen, 0), only a grant by the manager changes it.
        if (idle && !withdraw(client, slot, generation)) continue;
        grants_.set_grant(client, slot, 0);
        forget(client, slot);
        ended.clients.push_back(client);
    }
    return ended;
}

void ReferenceCounter::revoke_untold(std::uint32_t slot, std::uint64_t generation) {
    (void)reclaim(slot, generation);
    for (const auto client : std::exchange(grantees(slot), {})) grants_.set_grant(client, slot, 0);
}

void ReferenceCounter::close(std::uint32_t slot, std::uint64_t generation) {
    for (const auto client : grantees(slot)) close(client, slot, generation, true);
}

void ReferenceCounter::close(std::uint32_t client, std::uint32_t slot, std::uint64_t generation,
                             bool closed) {
    if (hostile(client)) return;
    auto& page = *pages_[client];
    const FaultGuard guard(page.mapping.data(), page.mapping.size());
    auto& word = page.lease.word(slot);
    if (LeaseWord::generation(word.load(std::memory_order_relaxed)) == generation) {
        if (closed)
            word.fetch_or(LeaseWord::kClosing, std::memory_order_relaxed);
        else
            word.fetch_and(~LeaseWord::kClosing, std::memory_order_relaxed);
    }
    if (guard.faulted()) mark_hostile(client);
}

std::vector<Holder> ReferenceCounter::holders(std::uint32_t slot, std::uint64_t generation) {
    std::vector<Holder> out;
    for (const auto client : grantees(slot)) {
        const auto grant = grants_.grant(client, slot);
        if (!GrantWord::matches(grant, generation)) continue;
        Holder holder{client, 1, static_cast<AccessMode>(GrantWord::mode(grant))};
        if (const auto seen = word(client, slot)) {
            const bool counts =
                LeaseWord::generation(*seen) == generation && LeaseWord::n(*seen) > 1;
            holder.references = counts ? LeaseWord::n(*seen) - 1 : 0;
        }
        out.push_back(holder);
    }
    return out;
}

void ReferenceCounter::sweep(const std::function<void(std::uint32_t, std::uint64_t)>& changed) {
    std::vector<std::pair<std::uint32_t, std::uint64_t>> found;
    for (const auto client : clients()) {
        if (hostile(client)) continue;
        auto& page = *pages_[client];
        const FaultGuard guard(page.mapping.data(), page.mapping.size());
        for (std::uint32_t block = 0; block < kBlocks; ++block) {
            // From the top down, each mark before what it stands for (see LeasePage::mark).
            if (page.lease.block(block).load(std::memory_order_relaxed) == 0) continue;
            page.lease.block(block).exchange(0, std::memory_order_acq_rel);
            for (std::uint32_t group = block * 64; group < block * 64 + 64; ++group) {
                if (!grants_.chunk_reserved(client, group * kGroupSlots)) continue;
                if (page.lease.group(group).load(std::memory_order_relaxed) == 0) continue;
                page.lease.group(group).exchange(0, std::memory_order_acq_rel);
                for (auto slot = group * kGroupSlots; slot < (group + 1) * kGroupSlots; ++slot) {
                    const bool granted = grants_.grant(client, slot) != 0;
                    if (!granted && !page.locks.contains(slot)) continue;
                    // Without a grant the count is of an earlier region.
                    auto& count = page.lease.acquisitions(slot);
                    const auto acquired = granted && count.load(std::memory_order_relaxed)
                                              ? count.exchange(0, std::memory_order_relaxed)
                                              : 0;
                    found.emplace_back(slot, acquired);
                    page.acquired += acquired;
                }
            }
        }
        if (guard.faulted()) mark_hostile(client);
    }
    std::sort(found.begin(), found.end());
    for (std::size_t i = 0; i < found.size();) {
        const auto slot = found[i].first;
        std::uint64_t takes = 0;
        for (; i < found.size() && found[i].first == slot; ++i) takes += found[i].second;
        changed(slot, takes);
    }
}

}  // namespace snakepit::shm
