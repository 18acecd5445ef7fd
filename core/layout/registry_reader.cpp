// SPDX-License-Identifier: MIT
#include "layout/registry_reader.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

#include "layout/allocated_count.h"
#include "platform/backend.h"
#include "platform/process.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// A slot that changes faster than this is reported at the next poll.
constexpr int kReadAttempts = 8;

std::string_view bounded(const char* text, std::size_t size) {
    return {text, ::strnlen(text, size)};
}
template <std::size_t N>
std::string bounded(const char (&text)[N]) {
    return std::string(bounded(text, N));
}

RegionState state_of(const Control& control) {
    if (control.damaged) return RegionState::damaged;
    if (control.state == SlotState::revoked) return RegionState::revoked;
    if (control.state == SlotState::quarantined) return RegionState::quarantined;
    if (control.withdrawn) return RegionState::closing;
    return control.orphan ? RegionState::orphan : RegionState::live;
}

bool made_since_boot(const RegistryHeader& header) {
    const auto boot = boot_id();
    return boot && std::memcmp(header.boot_id, boot->data(), sizeof header.boot_id) == 0;
}

}  // namespace

OwnerEnd owner_end_of(const SlotBody& body) {
    return resolved(static_cast<OwnerEnd>((body.flags & kOwnerEnd) >> kOwnerEndShift),
                    static_cast<CleanupPolicy>(body.cleanup_policy));
}

AllocatedAs layout::made_as(const SlotBody& body) {
    return {static_cast<CleanupPolicy>(body.cleanup_policy),
            owner_end_of(body),
            static_cast<SecurityLevel>(body.security_level),
            static_cast<AccessMode>(body.access_mode),
            {static_cast<Permission>(body.permission_owner),
             static_cast<Permission>(body.permission_group),
             static_cast<Permission>(body.permission_other)}};
}

Timestamp heartbeat_of(const RegistryState& state, bool this_boot) {
    const auto beat = state.beat.load(std::memory_order_relaxed);
    if (!this_boot || beat == 0) return {state.heartbeat.load(std::memory_order_relaxed)};
    return {now().micros - (boot_micros() - beat)};
}

Timestamp RegistryReader::heartbeat() const {
    return heartbeat_of(view_.state(), of_this_boot_);
}

std::string segment_name(std::string_view instance, const RegionId& id) {
    return fmt::format("/snakepit_{}_{}", instance, id.str());
}

std::string durable_name(const RegionId& id) {
    return fmt::format("durable/{}", id.str());
}

std::string arena_name(std::string_view instance, std::uint64_t arena) {
    return fmt::format("/snakepit_{}_arena_{:016x}", instance, arena);
}

std::optional<std::uint64_t> arena_of(std::string_view name_end) {
    constexpr std::string_view prefix = "arena_";
    if (!name_end.starts_with(prefix) || name_end.size() != prefix.size() + 16) return std::nullopt;
    std::uint64_t arena = 0;
    const auto parsed =
        std::from_chars(name_end.begin() + prefix.size(), name_end.end(), arena, 16);
    if (parsed.ec != std::errc() || parsed.ptr != name_end.end()) return std::nullopt;
    return arena;
}

std::string anonymous_name(std::string_view name) {
    return std::string(kAnonymousPrefix) + std::string(name.substr(1));
}

std::string segment_name(std::string_view instance, const RegionId& id, const SlotBody& body) {
    auto name = body.arena != 0                ? arena_name(instance, body.arena)
                : (body.flags & kDurable) != 0 ? durable_name(id)
                                               : segment_name(instance, id);
    if (body.arena == 0 && (body.flags & kSecondName) != 0) name += kSecondSuffix;
    if (body.arena == 0 && body.sealed != 0) name += kSealedSuffix;
    return (body.flags & kMemfd) != 0 ? anonymous_name(name) : name;
}

RegionInfo describe(const Control& control, const SlotFixed& fixed, const SlotBody& body,
                    const SlotStats& stats, const char* metadata, std::string_view name,
                    std::string_view instance, std::int64_t wall_shift) {
    RegionInfo info;
    info.id = {fixed.id_micros, fixed.id_random};
    info.name = name;
    info.size = fixed.size;
    info.actual_size = body.actual_size;
    info.created_at = {fixed.created_at};
    info.last_accessed = {stats.last_accessed ? stats.last_accessed + wall_shift
                                              : fixed.created_at};
    info.access_count = stats.access_count;
    info.reference_count = stats.references;
    info.holder_count = stats.holders;
    info.owner_pid = fixed.owner_pid;
    info.owner_uid = fixed.owner_uid;
    info.owner_process = bounded(fixed.owner_process);
    info.permissions = {static_cast<Permission>(body.permission_owner),
                        static_cast<Permission>(body.permission_group),
                        static_cast<Permission>(body.permission_other)};
    info.security_level = static_cast<SecurityLevel>(body.security_level);
    info.cleanup_policy = static_cast<CleanupPolicy>(body.cleanup_policy);
    info.owner_end = owner_end_of(body);
    info.access_mode = static_cast<AccessMode>(body.access_mode);
    info.timeout_ms = body.timeout_ms;
    if (metadata && body.metadata_bytes > 0)
        info.metadata =
            bounded(metadata, std::min<std::size_t>(body.metadata_bytes, kMaxMetadataBytes));
    info.platform_handle = segment_name(instance, info.id, body);
    if (body.arena != 0) info.arena = info.platform_handle;
    info.durable = (body.flags & kDurable) != 0;
    info.audit_access = (body.flags & kAudited) != 0;
    info.state = state_of(control);
    if (control.state == SlotState::quarantined)
        info.quarantined_until = {body.deadline + wall_shift};
    info.placement = static_cast<Placement>(body.placement);
    info.offset = body.offset;
    info.sealed = body.sealed != 0;
    info.inconsistent = control.inconsistent;
    info.has_policy = (body.flags & kHasPolicy) != 0;
    info.policy_in_effect = (body.flags & kPolicyPending) == 0;
    info.session = bounded(fixed.session);
    info.worker = bounded(fixed.worker);
    return info;
}

Result<RegistryReader> RegistryReader::open(const std::string& path) {
    SHM_ASSIGN(auto file, MappedFile::open_read_only(path, kRegistrySizes));
    RegistryReader reader;
    reader.path_ = path;
    reader.view_ = RegistryView<const std::byte>(file.data());
    const auto& header = reader.view_.header();
    if (header.magic != kRegistryMagic)
        return fail(ErrorCode::corruption_detected, fmt::format("{} is not a registry", path),
                    "start the manager: it moves the file aside and creates a new one");
    if (header.version != kVersion || header.largest_size != RegistryOffsets::end)
        return fail(
            ErrorCode::version_mismatch,
            fmt::format("{} has version {}, this program reads {}", path, header.version, kVersion),
            "use the same release of the manager and the monitor");
    reader.of_this_boot_ = made_since_boot(header);
    reader.file_ = std::move(file);
    return reader;
}

// The reader's half of the commit protocol: the control word before and after must agree, and the
// fence keeps the copies between the two loads (the writer's half is in RegionTable).
RegistryReader::Read RegistryReader::read(std::uint32_t index, RegionRow& out) const {
    const auto& slot = view_.slot(index);
    for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
        const auto word = slot.control.load(std::memory_order_acquire);
        const auto control = Control::decode(word);
        if (!control.occupied()) return Read::vacant;
        SlotFixed fixed;
        SlotBody body;
        SlotStats stats;
        MetadataCell metadata;
        load_words(fixed, slot.fixed);
        load_words(body, slot.body[control.body]);
        load_words(stats, view_.stats(index));
        NameCell name;
        if (body.metadata_bytes > 0) load_words(metadata, view_.metadata(index));
        if (fixed.name_bytes > 0) load_words(name, view_.name(index));
        std::atomic_thread_fence(std::memory_order_acquire);
        if (slot.control.load(std::memory_order_relaxed) != word) continue;
        out.slot = index;
        out.generation = control.generation;
        out.holders = stats.holders;
        out.info = describe(control, fixed, body, stats, metadata.text,
                            fixed.name_bytes > 0 ? name_of(fixed, name) : std::string_view(),
                            bounded(view_.header().instance, sizeof view_.header().instance),
                            view_.state().wall_shift.load(std::memory_order_relaxed));
        for (std::size_t i = 0; i < std::min<std::size_t>(stats.holders, std::size(stats.top));
             ++i) {
            ClientRow client;
            load_words(client, view_.client(stats.top[i].client % kMaxClients));
            out.info.references.push_back({client.pid, bounded(client.process), stats.top[i].count,
                                           client.connected != 0, AccessMode::read_write,
                                           bounded(client.worker)});
        }
        return Read::row;
    }
    return Read::busy;
}

std::uint32_t RegistryReader::frontier() {
    const auto used = std::min(view_.state().frontier.load(std::memory_order_acquire), kMaxSlots);
    if (used > readable_)
        readable_ = RegistryOffsets::slots_in(size_of(file_.handle()).value_or(file_.size()));
    return std::min(used, readable_);
}

RegistryDelta RegistryReader::poll() {
    RegistryDelta delta;
    if (file_.replaced(path_)) {
        if (auto fresh = open(path_)) {
            *this = std::move(*fresh);
            delta.reset = true;
        }
    }
    // Every change numbered up to `newest` is visible here: changes are numbered after they are
    // made, with release.
    const auto newest = view_.state().change.load(std::memory_order_acquire);
    if (newest == seen_) return delta;
    const auto used = frontier();
    auto complete_up_to = newest;
    for (std::uint32_t i = 0; i < used; ++i) {
        const auto change = view_.change(i).load(std::memory_order_acquire);
        if (change <= seen_) continue;
        RegionRow row;
        switch (read(i, row)) {
            case Read::row:
                delta.changed.push_back(std::move(row));
                break;
            case Read::vacant:
                delta.vacated.push_back(i);
                break;
            case Read::busy:
                complete_up_to = std::min(complete_up_to, change - 1);
                break;
        }
    }
    seen_ = std::max(seen_, complete_up_to);
    return delta;
}

std::vector<ClientInfo> RegistryReader::clients() const {
    std::vector<ClientInfo> out;
    const auto frontier =
        std::min(view_.state().client_frontier.load(std::memory_order_acquire), kMaxClients);
    for (std::uint32_t i = 0; i < frontier; ++i) {
        ClientRow row;
        load_words(row, view_.client(i));
        if (row.serial == 0) continue;
        out.push_back({i,
                       row.serial,
                       row.pid,
                       row.uid,
                       {row.connected_at},
                       row.connected != 0,
                       row.hostile != 0,
                       bounded(row.process),
                       bounded(row.worker),
                       bounded(row.pool),
                       bounded(row.session)});
    }
    return out;
}

std::vector<Sample> RegistryReader::samples(std::uint64_t after) const {
    std::vector<Sample> out;
    const auto head = view_.state().sample_head.load(std::memory_order_acquire);
    // One less than the ring's capacity: the writer may be filling the oldest.
    const auto oldest = head >= kSampleCount ? head - kSampleCount + 2 : 1;
    for (auto seq = std::max(after + 1, oldest); seq <= head; ++seq) {
        Sample sample;
        load_words(sample, view_.sample(seq));
        if (sample.seq == seq) out.push_back(sample);
    }
    return out;
}

std::optional<Sample> RegistryReader::newest_sample() const {
    const auto head = view_.state().sample_head.load(std::memory_order_acquire);
    const auto last = samples(head > 2 ? head - 2 : 0);  // the newest may be incomplete
    return last.empty() ? std::nullopt : std::optional(last.back());
}

std::vector<EventEntry> RegistryReader::events(std::uint64_t after, std::size_t most) const {
    std::vector<EventEntry> out;
    const auto head = event_head();
    auto seq = std::max(after + 1, head < kRingEntries ? 1 : head - kRingEntries + 1);
    for (EventEntry entry; seq <= head && out.size() < most; ++seq)
        if (copy_event(entry, view_.event(seq), seq)) out.push_back(entry);
    return out;
}

}  // namespace snakepit::shm
