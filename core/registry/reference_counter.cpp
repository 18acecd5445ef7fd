// SPDX-License-Identifier: MIT
#include "registry/reference_counter.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include <fmt/format.h>

#include "base/ids.h"
#include "platform/fault_guard.h"
#include "platform/process_lock.h"
#include "platform/wait_word.h"
#include "registry/region_registry.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// Pages are named by number so that nothing a client says becomes part of a path.
std::string page_name(std::uint64_t number) {
    return fmt::format("{:016x}", number);
}

// A CAS by the manager loses only to the client itself; one that keeps winning is holding.
constexpr int kCasAttempts = 64;

}  // namespace

std::string ReferenceCounter::page_path(std::uint32_t client) const {
    return lease_dir_ + "/" + page_name(grants_.record(client).page);
}

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

Status ReferenceCounter::attach_page(std::uint32_t client, const Handle& file) {
    auto page = std::make_unique<Page>();
    SHM_ASSIGN(page->mapping, Mapping::map(file, LeaseOffsets::end, Mapping::Access::read_write));
    page->lease = LeasePage(page->mapping.data());
    if (client >= pages_.size()) pages_.resize(client + 1);
    pages_[client] = std::move(page);
    return {};
}

Result<std::uint32_t> ReferenceCounter::add_client(const ClientIdentity& identity,
                                                   std::uint64_t serial,
                                                   const SessionToken& token) {
    SHM_ASSIGN(const auto client, grants_.unused_record());
    auto& record = grants_.record(client);
    record.page = random_u64();
    const auto path = page_path(client);
    const Handle file(
        ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return fail(system_error(errno, "cannot make a lease page"));
    auto made = [&]() -> Status {
        if (::ftruncate(file.get(), static_cast<off_t>(LeaseOffsets::end)) != 0)
            return fail(system_error(errno, "cannot size a lease page"));
        SHM_TRY(reserve_pages(file, 0, LeaseOffsets::groups));
        SHM_ASSIGN(const auto identity_of_page, identity_of(file));
        record.page_device = identity_of_page.device;
        record.page_inode = identity_of_page.inode;
        return attach_page(client, file);
    }();
    if (!made) {
        ::unlink(path.c_str());
        return fail(std::move(made).error());
    }
    auto& header = pages_[client]->lease.header();
    header = {kLeaseMagic, kVersion, client, serial, epoch_};

    std::memcpy(record.token, token.data(), token.size());
    record.pid = identity.credentials.pid;
    record.start_time = identity.start_time;
    record.connected_at = now().micros;
    record.uid = identity.credentials.uid;
    record.gid = identity.credentials.gid;
    record.hostile = 0;
    // An earlier client's, if a kill came between its serial and them (GrantTable::clear).
    for (auto& bits : record.chunks) bits.store(0, std::memory_order_relaxed);
    copy_text(record.process, identity.process);
    copy_text(record.worker, {});
    copy_text(record.pool, {});
    copy_text(record.session, {});
    record.serial.store(serial, std::memory_order_release);
    return client;
}

Status ReferenceCounter::open_page(std::uint32_t client) {
    const Handle file(::open(page_path(client).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!file) return fail(system_error(errno, "cannot open a lease page"));
    const auto& record = grants_.record(client);
    SHM_ASSIGN(const auto identity, identity_of(file));
    if (identity != FileIdentity{record.page_device, record.page_inode})
        return fail(ErrorCode::security_violation,
                    fmt::format("the lease page of process {} was exchanged", record.pid));
    return attach_page(client, file);
}

void ReferenceCounter::adopt_client(std::uint32_t client) {
    if (!open_page(client)) {
        if (client >= pages_.size()) pages_.resize(client + 1);
        pages_[client] = std::make_unique<Page>();
        mark_hostile(client);
    } else {
        note_times(client);  // an earlier manager counted these
    }
    for (const auto slot : grants_.granted_slots(client))
        grantees(slot).push_back(static_cast<std::uint16_t>(client));
}

ReferenceCounter::Estate ReferenceCounter::estate(std::uint32_t client) {
    Estate left;
    for (const auto slot : grants_.granted_slots(client)) left.slots.push_back({slot, 0});
    if (client >= pages_.size() || !pages_[client])
        (void)open_page(client);  // after a restart; without it nothing is counted
    if (client >= pages_.size() || !pages_[client] || !pages_[client]->lease.valid()) return left;
    auto& page = *pages_[client];
    const FaultGuard guard(page.mapping.data(), page.mapping.size());
    for (auto& entry : left.slots) {
        entry.takes = page.lease.takes(entry.slot).load(std::memory_order_relaxed);
        const auto n = LeaseWord::n(page.lease.word(entry.slot).load(std::memory_order_acquire));
        if (n > 1) left.references += n - 1;
    }
    return left;
}

void ReferenceCounter::drop_client(std::uint32_t client) {
    if (client < pages_.size()) pages_[client].reset();
    for (const auto slot : grants_.granted_slots(client)) forget(client, slot);
    const auto path = page_path(client);
    grants_.clear(client);
    ::unlink(path.c_str());
}

Result<bool> ReferenceCounter::gone(std::uint32_t client) const {
    SHM_ASSIGN(const auto held, witness_held(page_path(client)));
    return !held;
}

Result<Handle> ReferenceCounter::witness(std::uint32_t client) const {
    return open_witness(page_path(client));
}

void ReferenceCounter::wake(std::uint32_t client) {
    if (hostile(client)) return;
    auto& page = *pages_[client];
    const FaultGuard guard(page.mapping.data(), page.mapping.size());
    // Release: what was decided comes before the number that says so.
    page.lease.wake().fetch_add(1, std::memory_order_release);
    if (guard.faulted()) return mark_hostile(client);
    wake_all(page.lease.wake());
}

void ReferenceCounter::remove_stray_pages() const {
    std::set<std::string> known;
    for (std::uint32_t i = 0; i < kMaxClients; ++i)
        if (grants_.record(i).serial.load(std::memory_order_relaxed) != 0)
            known.insert(page_name(grants_.record(i).page));
    DIR* directory = ::opendir(lease_dir_.c_str());
    if (!directory) return;
    while (const auto* entry = ::readdir(directory)) {
        const std::string name(entry->d_name);
        if (name.size() == 16 && !known.contains(name)) ::unlink((lease_dir_ + "/" + name).c_str());
    }
    ::closedir(directory);
}

// Both files first, the bit that says so last: whoever sees the bit may touch either.
Status ReferenceCounter::reserve(std::uint32_t client, std::uint32_t slot) {
    if (grants_.chunk_reserved(client, slot)) return {};
    const Handle file(::open(page_path(client).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!file) return fail(system_error(errno, "cannot open a lease page"));
    const std::uint64_t first = slot / kChunkSlots * kChunkSlots;
    SHM_TRY(
        reserve_pages(file, LeaseOffsets::groups + first / kGroupSlots, kChunkSlots / kGroupSlots));
    SHM_TRY(reserve_pages(file, LeaseOffsets::words + first * 8, kChunkSlots * 8));
    SHM_TRY(reserve_pages(file, LeaseOffsets::takes + first * 4, kChunkSlots * 4));
    SHM_TRY(grants_.reserve_chunk(client, slot));
    grants_.set_chunk(client, slot);
    return {};
}

Status ReferenceCounter::grant(std::uint32_t client, std::uint32_t slot, std::uint64_t generation,
                               AccessMode access) {
    const auto cut = [] {
        return fail(ErrorCode::security_violation, "the lease page was cut short",
                    "end this program and start it anew");
    };
    if (hostile(client)) return cut();
    SHM_TRY(reserve(client, slot));
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
    // What an earlier region of the slot was used is not this one's.
    if (!again) page.lease.takes(slot).store(0, std::memory_order_relaxed);
    auto& word = page.lease.word(slot);
    auto seen = word.load(std::memory_order_relaxed);
    for (int i = 0; i < kCasAttempts; ++i) {
        // A client that asks again, because its answer was lost, may hold references already.
        if (again && LeaseWord::generation(seen) == generation && LeaseWord::n(seen) >= 1) break;
        // Release: the region's zeroed pages and its slot come before the right to use them.
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

// Takes an idle grant back. False: the client holds references; its page says nothing any more and
// its grants end with the process; or it kept changing the word.
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
        if (!idle) break;  // held, or nothing that its page could take
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
        // Once the word is (gen, 0) only a grant of ours changes it.
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
                    if (grants_.grant(client, slot) == 0) continue;
                    auto& takes = page.lease.takes(slot);
                    const auto taken = takes.load(std::memory_order_relaxed)
                                           ? takes.exchange(0, std::memory_order_relaxed)
                                           : 0;
                    found.emplace_back(slot, taken);
                    page.taken += taken;
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
