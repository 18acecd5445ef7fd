// SPDX-License-Identifier: MIT
#include "memory/signal_store.h"

#include <unistd.h>

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "base/time.h"
#include "layout/registry_reader.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// Never 0: a fresh page has no tags.
std::uint64_t tag_of(const RegionId& id) {
    return (id.micros * 0x9E3779B97F4A7C15ULL ^ id.random) | 1;
}

// Each costs the manager a descriptor: one user's leave room for the others'.
std::size_t most_pages() {
    return static_cast<std::size_t>(std::max(64L, ::sysconf(_SC_OPEN_MAX) / 8));
}

std::string prefix_of(const RegionRegistry& registry) {
    return fmt::format("/snakepit_{}_signals_", registry.instance());
}

}  // namespace

SignalStore::SignalStore(RegionRegistry& registry, PlatformBackend& backend)
    : registry_(registry),
      backend_(backend),
      started_at_(static_cast<std::uint64_t>(now().micros)) {}

// The registry's epoch is part of the name: words of a registry that was lost mean nothing.
std::string SignalStore::file_of_user(std::uint32_t uid) const {
    return anonymous_name(
        fmt::format("{}{:016x}_{}", prefix_of(registry_), registry_.epoch(), uid));
}
std::string SignalStore::page_of(const RegionId& id) const {
    return anonymous_name(
        fmt::format("{}{:016x}_{}", prefix_of(registry_), registry_.epoch(), id.str()));
}

Result<SignalStore::File> SignalStore::open(const std::string& name, std::uint64_t size,
                                            std::uint32_t uid) {
    File file;
    auto segment = backend_.open_segment(name, AccessMode::read_write);
    file.fresh = !segment;
    if (!segment) segment = backend_.create_segment(name, size, Pages::on_demand);
    if (!segment) return fail(std::move(segment).error());
    file.name = name;
    file.uid = uid;
    SHM_ASSIGN(file.mapping, Mapping::map(segment->handle, size, Mapping::Access::read_write));
    file.reserved.resize(size / SignalOffsets::page);
    return file;
}

Status SignalStore::reserve(File& file, std::uint64_t offset) {
    const auto page = offset / SignalOffsets::page;
    if (file.reserved[page]) return {};
    SHM_ASSIGN(const auto segment, backend_.open_segment(file.name, AccessMode::read_write));
    SHM_TRY(backend_.reserve(segment.handle, page * SignalOffsets::page, SignalOffsets::page));
    file.reserved[page] = true;
    return {};
}

void SignalStore::adopt() {
    const auto listed = backend_.list_segments(anonymous_name(prefix_of(registry_)));
    if (!listed) return;  // then they are looked for when they are needed
    std::unordered_set<std::string> wanted, there;
    for (const auto& segment : *listed) there.insert(segment.name);
    for (const auto slot : registry_.used()) {
        const auto uid = registry_.fixed(slot).owner_uid;
        const auto name = in_users_file(slot) ? file_of_user(uid) : page_of(registry_.id(slot));
        if (wanted.insert(name).second && there.contains(name))
            (void)file(slot);  // what cannot be mapped now is opened when it is asked for
    }
    for (const auto& name : there)
        if (!wanted.contains(name)) (void)backend_.forget_segment(name);
}

std::uint64_t SignalStore::offset(std::uint32_t slot) const {
    return in_users_file(slot) ? SignalOffsets::word(slot) : 0;
}

SignalStore::File* SignalStore::find_file(std::uint32_t slot) {
    if (in_users_file(slot)) {
        const auto found = users_.find(registry_.fixed(slot).owner_uid);
        return found == users_.end() ? nullptr : &found->second;
    }
    const auto found = pages_.find(registry_.id(slot));
    return found == pages_.end() ? nullptr : &found->second;
}

Result<SignalStore::File*> SignalStore::file(std::uint32_t slot) {
    if (auto* known = find_file(slot)) return known;
    const auto uid = registry_.fixed(slot).owner_uid;
    if (in_users_file(slot)) {
        SHM_ASSIGN(auto made, open(file_of_user(uid), SignalOffsets::end, uid));
        return &users_.emplace(uid, std::move(made)).first->second;
    }
    const auto id = registry_.id(slot);
    if (pages_of_[uid] >= most_pages())
        return fail(ErrorCode::reference_limit,
                    fmt::format("user {} has {} regions in segments of their own that are waited "
                                "for or notified",
                                uid, pages_of_[uid]),
                    "deallocate some, or let smaller regions be pooled");
    SHM_ASSIGN(auto made, open(page_of(id), SignalOffsets::page, uid));
    ++pages_of_[uid];
    return &pages_.emplace(id, std::move(made)).first->second;
}

// Null: it has no memory.
SignalWord* SignalStore::users_word(std::uint32_t slot, std::uint32_t uid) {
    const auto found = users_.find(uid);
    const auto offset = SignalOffsets::word(slot);
    if (found == users_.end()) return nullptr;
    // After a restart it is not known which pages are reserved.
    if (!found->second.reserved[offset / SignalOffsets::page] && !reserve(found->second, offset))
        return nullptr;
    return found->second.at(offset);
}

// A region that has left its user's arena goes on counting, so that nobody misses the change.
// Words that were lost with their keeper begin at a number that they never had.
std::uint64_t SignalStore::first_counter(std::uint32_t slot, const File& file) {
    const auto id = registry_.id(slot);
    if (!in_users_file(slot))
        if (auto* before = users_word(slot, registry_.fixed(slot).owner_uid);
            before && before->tag.load(std::memory_order_relaxed) == tag_of(id))
            return before->counter() + 1;
    const bool lost =
        file.fresh && registry_.fixed(slot).created_at < static_cast<std::int64_t>(started_at_);
    return lost ? static_cast<std::uint64_t>(boot_micros()) : 0;
}

Result<SignalWord*> SignalStore::word(std::uint32_t slot) {
    SHM_ASSIGN(auto* const file, this->file(slot));
    SHM_TRY(reserve(*file, offset(slot)));
    auto* const word = file->at(offset(slot));
    const auto tag = tag_of(registry_.id(slot));
    if (word->tag.load(std::memory_order_relaxed) != tag) {  // of an earlier region, or fresh
        word->value.store(SignalWord::make(first_counter(slot, *file)), std::memory_order_relaxed);
        word->tag.store(tag, std::memory_order_release);
    }
    return word;
}

Result<SignalStore::Place> SignalStore::place(std::uint32_t slot) {
    SHM_TRY(word(slot));
    SHM_ASSIGN(auto* const file, this->file(slot));
    SHM_ASSIGN(auto segment, backend_.open_segment(file->name, AccessMode::read_write));
    return Place{std::move(segment.handle), offset(slot)};
}

SignalWord* SignalStore::find(std::uint32_t slot) {
    auto* const file = find_file(slot);
    if (!file || !reserve(*file, offset(slot))) return nullptr;
    auto* const word = file->at(offset(slot));
    const bool ours = word->tag.load(std::memory_order_relaxed) == tag_of(registry_.id(slot));
    return ours ? word : nullptr;
}

void SignalStore::freed(std::uint32_t slot, const RegionId& id, std::uint32_t uid) {
    if (const auto user = users_.find(uid); user != users_.end()) {
        const auto offset = SignalOffsets::word(slot);
        if (user->second.reserved[offset / SignalOffsets::page])
            user->second.at(offset)->tag.store(0, std::memory_order_relaxed);
    }
    const auto page = pages_.find(id);
    if (page == pages_.end()) return;
    (void)backend_.forget_segment(page->second.name);  // else at the next start
    if (--pages_of_[page->second.uid] == 0) pages_of_.erase(page->second.uid);
    pages_.erase(page);
}

void SignalStore::drop_unused() {
    std::unordered_set<std::uint32_t> used;
    for (const auto slot : registry_.used())
        if (in_users_file(slot)) used.insert(registry_.fixed(slot).owner_uid);
    std::erase_if(users_, [&](const auto& entry) {
        return !used.contains(entry.first) && backend_.forget_segment(entry.second.name);
    });
}

}  // namespace snakepit::shm
