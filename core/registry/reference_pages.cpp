// SPDX-License-Identifier: MIT
// The lease pages: creating, opening, adopting and dropping them, and waking their clients.
#include "registry/reference_counter.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>

#include <fmt/format.h>

#include "base/ids.h"
#include "platform/fault_guard.h"
#include "platform/file_state.h"
#include "platform/process.h"
#include "platform/process_lock.h"
#include "platform/resource_error.h"
#include "platform/wait_word.h"
#include "registry/region_registry.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// Pages are named by number, so that no data from a client becomes part of a path.
std::string page_name(std::uint64_t number) {
    return fmt::format("{:016x}", number);
}

}  // namespace

std::string ReferenceCounter::page_path(std::uint32_t client) const {
    return lease_dir_ + "/" + page_name(grants_.record(client).page);
}

Status ReferenceCounter::attach_page(std::uint32_t client, const Handle& file) {
    auto page = std::make_unique<Page>();
    SHM_ASSIGN(page->mapping, Mapping::map(file, LeaseOffsets::end, Mapping::Access::read_write));
    page->lease = LeasePage(page->mapping.data());
    page->file = file.duplicate();
    if (!page->file) return fail(system_error(errno, "cannot keep a lease page open"));
    page->size = LeaseOffsets::chunk(grants_.reserved_end(client));
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
    if (!file) return fail(file_error(errno, "cannot create a lease page", path));
    auto made = [&]() -> Status {
        if (::ftruncate(file.get(), static_cast<off_t>(LeaseOffsets::chunks)) != 0)
            return fail(file_error(errno, "cannot size a lease page", path));
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
    record.process_number = static_cast<std::uint32_t>(identity.process_number);
    record.connected_at = now().micros;
    record.uid = identity.credentials.uid;
    record.gid = identity.credentials.gid;
    record.hostile = 0;
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
                    fmt::format("the lease page of process {} was replaced", record.pid));
    return attach_page(client, file);
}

void ReferenceCounter::adopt_client(std::uint32_t client) {
    if (!open_page(client)) {
        if (client >= pages_.size()) pages_.resize(client + 1);
        pages_[client] = std::make_unique<Page>();
        mark_hostile(client);
    } else {
        note_times(client);  // an earlier manager counted these
        auto& page = *pages_[client];
        const FaultGuard guard(page.mapping.data(), page.mapping.size());
        page.lease.signals().fetch_add(1, std::memory_order_release);
    }
    for (const auto slot : grants_.granted_slots(client))
        grantees(slot).push_back(static_cast<std::uint16_t>(client));
}

ReferenceCounter::ClientHoldings ReferenceCounter::holdings(std::uint32_t client) {
    ClientHoldings left;
    for (const auto slot : grants_.granted_slots(client)) left.slots.push_back({slot, 0});
    if (client >= pages_.size() || !pages_[client])
        (void)open_page(client);  // after a restart; without it nothing is counted
    if (client >= pages_.size() || !pages_[client] || !pages_[client]->lease.valid()) return left;
    auto& page = *pages_[client];
    const FaultGuard guard(page.mapping.data(), page.mapping.size());
    for (auto& entry : left.slots) {
        entry.takes = page.lease.acquisitions(entry.slot).load(std::memory_order_relaxed);
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
    // By our own descriptor: a removed or replaced name does not prove that the client ended.
    if (client < pages_.size() && pages_[client] && pages_[client]->file) {
        SHM_ASSIGN(const auto held, liveness_lock_held(pages_[client]->file));
        return !held;
    }
    const auto& record = grants_.record(client);
    const auto named = file_state_at(page_path(client));
    if (named && named->identity == FileIdentity{record.page_device, record.page_inode}) {
        SHM_ASSIGN(const auto held, liveness_lock_held(page_path(client)));
        return !held;
    }
    if (named)
        return fail(ErrorCode::security_violation,
                    fmt::format("the lease page of process {} was replaced", record.pid));
    if (!names_nothing(named)) return fail(named.error());
    // A page of an earlier manager whose name is lost. The process decides, if it is visible: one
    // in another pid namespace, or hidden by /proc, may be running.
    const auto process = inspect_process(record.pid);
    if (record.pid == 0 || (!process && process.error().code == ErrorCode::permission_denied))
        return fail(ErrorCode::permission_denied, "its process is not visible to the manager");
    const bool other = process && process->start_time != 0 && record.start_time != 0 &&
                       process->start_time != record.start_time;
    return !process || other || process->zombie;
}

Result<Handle> ReferenceCounter::liveness_lock(std::uint32_t client) const {
    return open_liveness_lock(page_path(client));
}

void ReferenceCounter::wake(std::uint32_t client) {
    if (hostile(client)) return;
    auto& page = *pages_[client];
    const FaultGuard guard(page.mapping.data(), page.mapping.size());
    // Release: the decision is visible before the number that announces it.
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

// Both files first, then the bit: a thread that sees the bit may access both.
Status ReferenceCounter::reserve(std::uint32_t client, std::uint32_t slot) {
    if (grants_.chunk_reserved(client, slot)) return {};
    auto& page = *pages_[client];
    const auto first = slot / kChunkSlots * kChunkSlots;
    const auto from = LeaseOffsets::chunk(first);
    SHM_TRY(reserve_pages(page.file, LeaseOffsets::groups + first / kGroupSlots,
                          kChunkSlots / kGroupSlots));
    SHM_TRY(reserve_pages(page.file, from, LeaseOffsets::locks_part));
    if (auto longer = extend_file(page.file, page.size, from + LeaseOffsets::chunk_bytes);
        !longer) {
        if (longer.error().code == ErrorCode::corruption_detected) mark_hostile(client);
        return longer;
    }
    return grants_.reserve_chunk(client, slot);
}

}  // namespace snakepit::shm
