// SPDX-License-Identifier: MIT
#include "registry/region_registry.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace snakepit::shm {

using namespace layout;

namespace {

// Whether a slot in this state has the name that it was allocated with. What is in quarantine can
// come back, so it keeps its name.
bool keeps_name(const Control& word) {
    switch (word.state) {
        case SlotState::reserved:
        case SlotState::live:
            return !word.withdrawn;
        case SlotState::retiring:
            return !word.withdrawn || word.from_quarantine;
        case SlotState::quarantined:
            return true;
        case SlotState::free:
        case SlotState::freeing:
        case SlotState::revoked:
        case SlotState::stashed:
            return false;
    }
    return false;
}

}  // namespace

RegionRegistry::RegionRegistry(MappedFile file, std::string instance)
    : file_(std::move(file)), view_(file_.data()), ring_(view_), instance_(std::move(instance)) {}

std::optional<std::uint32_t> RegionRegistry::find(const RegionId& id) const {
    const auto stashed = by_id_.find(hash_of(id), [&](std::uint32_t slot) {
        return control(slot).state == SlotState::stashed && fixed(slot).id_random == id.random;
    });
    if (stashed) [[unlikely]]
        on_stashed(*stashed);
    return by_id_.find(hash_of(id), [&](std::uint32_t slot) { return this->id(slot) == id; });
}

std::optional<std::uint32_t> RegionRegistry::find_request(std::uint64_t owner_serial,
                                                          std::uint64_t request_id) const {
    return by_request_.find(hash_of(owner_serial, request_id), [&](std::uint32_t slot) {
        return fixed(slot).owner_serial == owner_serial && fixed(slot).request_id == request_id;
    });
}

std::optional<std::uint32_t> RegionRegistry::find_name(std::uint32_t uid,
                                                       std::string_view name) const {
    return by_name_.find(hash_of(uid, name), [&](std::uint32_t slot) {
        return keeps_name(control(slot)) && fixed(slot).owner_uid == uid &&
               this->name(slot) == name;
    });
}

void RegionRegistry::index(std::uint32_t slot) {
    const auto& part = fixed(slot);
    if (const auto own = name(slot); !own.empty())
        by_name_.insert(hash_of(part.owner_uid, own), slot);
    by_id_.insert(hash_of(id(slot)), slot);
    if (part.request_id != 0) by_request_.insert(hash_of(part.owner_serial, part.request_id), slot);
}

bool RegionRegistry::intact(std::uint32_t slot) const {
    const auto word = control(slot);
    return static_cast<std::uint8_t>(word.state) <= static_cast<std::uint8_t>(SlotState::stashed) &&
           named(slot) && (fixed(slot).name_bytes == 0 || !name(slot).empty()) &&
           body(slot).checksum == checksum_of(body(slot)) &&
           body(slot).generation == word.generation;
}

std::vector<std::uint32_t> RegionRegistry::used() const {
    std::vector<std::uint32_t> out;
    out.reserve(used_count_);
    for (std::uint32_t i = 0; i < frontier(); ++i)
        if (control(i).state != SlotState::free) out.push_back(i);
    return out;
}

Status RegionRegistry::grow() {
    const auto first = frontier();
    if (first >= kMaxSlots)
        return fail(ErrorCode::region_limit_exceeded,
                    fmt::format("all {} slots of the registry are in use", kMaxSlots),
                    "'snakepit-shm cleanup --dry-run' lists the regions that are due");
    const auto chunk = RegistryOffsets::chunk(first);
    SHM_TRY(file_.reserve(chunk, RegistryOffsets::metadata_part));
    SHM_TRY(file_.extend(chunk + RegistryOffsets::chunk_bytes));
    for (std::uint32_t i = 0; i < kChunkSlots; ++i) free_.push_back(first + i);
    set_frontier(first + kChunkSlots);
    return {};
}

void RegionRegistry::set_frontier(std::uint32_t slots) {
    view_.state().frontier_check.store(~slots, std::memory_order_release);
    view_.state().frontier.store(slots, std::memory_order_release);
}

Result<std::uint32_t> RegionRegistry::reserve(SlotFixed fixed, std::string_view metadata,
                                              std::string_view name) {
    if (free_.empty()) SHM_TRY(grow());
    const auto slot = free_.front();
    if (!metadata.empty()) {
        SHM_TRY(file_.reserve(RegistryOffsets::metadata(slot) / 4096 * 4096, 4096));
    }
    if (!name.empty()) SHM_TRY(file_.reserve(RegistryOffsets::name(slot) / 4096 * 4096, 4096));
    free_.pop_front();
    ++used_count_;

    auto word = control(slot);
    store(slot,
          {.generation = word.generation + 1, .state = SlotState::reserved, .body = word.body});
    fixed.name_bytes = static_cast<std::uint32_t>(name.size());
    fixed.name_check = name.empty() ? 0 : name_check_of(name);
    write_fixed(slot, fixed);
    SlotStats stats{};
    stats.last_accessed = time();
    store_words(view_.stats(slot), stats);
    if (!metadata.empty()) {
        MetadataCell cell{};
        std::memcpy(cell.text, metadata.data(), std::min(metadata.size(), kMaxMetadataBytes));
        store_words(view_.metadata(slot), cell);
    }
    if (!name.empty()) {
        NameCell cell{};
        name.copy(cell.text, sizeof cell.text - 1);
        store_words(view_.name(slot), cell);
    }
    index(slot);
    return slot;
}

void RegionRegistry::write_body(std::uint32_t slot, SlotBody body) {
    const auto word = control(slot);
    body.generation = word.generation;
    body.checksum = checksum_of(body);
    store_words(view_.slot(slot).body[word.body], body);
}

void RegionRegistry::write_other_body(std::uint32_t slot, SlotBody body, std::uint64_t generation) {
    body.generation = generation;
    body.checksum = checksum_of(body);
    // A reader still copying the former use of this body must see the control word that ended it.
    std::atomic_thread_fence(std::memory_order_release);
    store_words(view_.slot(slot).body[control(slot).body ^ 1U], body);
}

void RegionRegistry::publish_change(std::uint32_t slot) {
    auto& counter = view_.state().change;
    const auto number = counter.load(std::memory_order_relaxed) + 1;
    view_.change(slot).store(number, std::memory_order_release);
    counter.store(number, std::memory_order_release);
}

void RegionRegistry::count(std::uint32_t slot, int times) {
    const auto word = control(slot);
    totals_.count(word, stats(slot).references, view_.slot(slot).body[word.body].actual_size,
                  times);
}

void RegionRegistry::store(std::uint32_t slot, const Control& next) {
    count(slot, -1);
    view_.slot(slot).control.store(next.encode(), std::memory_order_release);
    count(slot, 1);
    publish_change(slot);
}

EventEntry RegionRegistry::entry_for(const Event& event) const {
    EventEntry entry{};
    entry.slot = kNoSlot;
    entry.kind = static_cast<std::uint16_t>(event.kind);
    entry.result = static_cast<std::uint16_t>(event.result);
    entry.id_micros = event.id.micros;
    entry.id_random = event.id.random;
    entry.pid = event.pid;
    entry.uid = event.uid;
    entry.count = event.count;
    entry.value = event.value;
    copy_text(entry.text, event.text);
    auto used = event.text.size() + 1;
    if (used < sizeof entry.text)
        event.worker.copy(entry.text + used, sizeof entry.text - used - 1);
    used += event.worker.size() + 1;
    if (!event.name.empty() && used < sizeof entry.text)
        event.name.copy(entry.text + used, sizeof entry.text - used);
    return entry;
}

void RegionRegistry::record(const Event& event) {
    ring_.append(entry_for(event));
}

void RegionRegistry::record(std::uint32_t slot, const Event& event) {
    auto entry = entry_for(event);
    entry.id_micros = fixed(slot).id_micros;
    entry.id_random = fixed(slot).id_random;
    ring_.append(entry);
}

void RegionRegistry::commit(std::uint32_t slot, const Control& next, const Event& event) {
    auto entry = entry_for(event);
    entry.slot = slot;
    entry.id_micros = fixed(slot).id_micros;
    entry.id_random = fixed(slot).id_random;
    count(slot, -1);
    ring_.append(entry, &view_.slot(slot).control, next.encode());
    count(slot, 1);
    publish_change(slot);
}

// The slot is not LIVE, and readers saw that, so they do not use what they read meanwhile.
void RegionRegistry::write_fixed(std::uint32_t slot, SlotFixed fixed) {
    // They check the control word again after copying: it must be seen before what follows.
    std::atomic_thread_fence(std::memory_order_release);
    fixed.checksum = checksum_of(fixed);
    store_words(view_.slot(slot).fixed, fixed);
}

bool RegionRegistry::name_stashed(std::uint32_t slot) {
    constexpr std::uint64_t kLast = kGenerationMask / 2;  // the rest is for regions that ask
    auto word = control(slot);
    if (word.state == SlotState::reserved && (~word.generation & kStashMask) < kStashMask / 2) {
        word.generation = (word.generation | kStashMask) + 1;
        store(slot, word);
    }
    auto named = fixed(slot);
    named.id_micros = stashed_micros(named.id_micros, word.generation);
    write_fixed(slot, named);
    return word.generation < kLast;
}

void RegionRegistry::recycle(std::uint32_t slot, std::uint64_t generation, const Event& event) {
    auto word = control(slot);
    write_other_body(slot, body(slot), generation);
    word.generation = generation;
    word.body ^= 1U;
    auto entry = entry_for(event);
    entry.slot = slot;
    ring_.append(entry, &view_.slot(slot).control, word.encode());
    publish_change(slot);
    (void)name_stashed(slot);
}

void RegionRegistry::publish(std::uint32_t slot, std::string_view worker, std::string_view session,
                             const Event& event) {
    auto own = fixed(slot);
    own.created_at = now().micros;
    copy_text(own.worker, worker);
    copy_text(own.session, session);
    write_fixed(slot, own);
    SlotStats stats{};
    stats.last_accessed = time();
    store_words(view_.stats(slot), stats);
    auto word = control(slot);
    word.state = SlotState::live;
    commit(slot, word, event);
}

void RegionRegistry::release(std::uint32_t slot, const Event* event) {
    const auto& gone = fixed(slot);
    by_id_.erase(hash_of(id(slot)), slot);
    by_request_.erase(hash_of(gone.owner_serial, gone.request_id), slot);
    if (const auto own = name(slot); !own.empty())
        by_name_.erase(hash_of(gone.owner_uid, own), slot);
    auto word = control(slot);
    const Control next{.generation = word.generation, .state = SlotState::free, .body = word.body};
    if (event)
        commit(slot, next, *event);
    else
        store(slot, next);
    --used_count_;
    // A generation never wraps: a slot that used all of them up is retired.
    if (word.generation < kGenerationMask) free_.push_back(slot);
}

void RegionRegistry::write_stats(std::uint32_t slot, const SlotStats& stats) {
    count(slot, -1);
    store_words(view_.stats(slot), stats);
    count(slot, 1);
    publish_change(slot);
}

void RegionRegistry::write_client(std::uint32_t index, const ClientRow& row) {
    store_words(view_.client(index), row);
    auto& frontier = view_.state().client_frontier;
    if (index >= frontier.load(std::memory_order_relaxed))
        frontier.store(index + 1, std::memory_order_release);
}

void RegionRegistry::commit_client(std::uint32_t index, const ClientRow& row, const Event& event) {
    auto before = row;
    before.serial = client_serial(index);
    write_client(index, before);
    auto entry = entry_for(event);
    entry.slot = kClientSlots + index;
    ring_.append(entry, &view_.client_serial(index), row.serial);
}

void RegionRegistry::write_sample(Sample sample) {
    const auto seq = view_.state().sample_head.load(std::memory_order_relaxed) + 1;
    auto& cell = view_.sample(seq);
    __atomic_store_n(&cell.seq, std::uint64_t{0}, __ATOMIC_RELAXED);
    sample.seq = 0;
    store_words(cell, sample);
    __atomic_store_n(&cell.seq, seq, __ATOMIC_RELEASE);
    view_.state().sample_head.store(seq, std::memory_order_release);
}

std::uint64_t RegionRegistry::next_client_serial() {
    return view_.state().next_serial.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace snakepit::shm
