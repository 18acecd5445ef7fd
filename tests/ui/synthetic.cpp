// SPDX-License-Identifier: GPL-3.0-or-later
#include "synthetic.h"

#include "base/json.h"
#include "synthetic_monitoring.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace snakepit::shm::ui {

namespace {

constexpr std::array kPrograms{"python3",  "tensor_loader", "renderer",
                               "beam.smp", "ingest",        "snakepit-worker"};
constexpr std::array kWorkers{"tokenizer", "embedder", "resize", "decode-0", "decode-1", ""};
constexpr std::int64_t kSecond = 1'000'000;
constexpr std::uint32_t kUser = 33;  // mostly www-data; any number will do

template <typename Array>
auto pick(const Array& array, std::uint64_t number) {
    return array[number % array.size()];
}

std::uint64_t pid_of(std::uint64_t program) {
    return 4210 + program * 37;
}

RegionReference holder(std::uint64_t program, std::uint64_t count) {
    return {static_cast<std::int64_t>(pid_of(program)), pick(kPrograms, program), count, true,
            AccessMode::read_write};
}

void set_holders(RegionRow& row, std::mt19937_64& random) {
    row.info.references.clear();
    row.info.reference_count = 0;
    const auto holders = row.info.state == RegionState::orphan ? random() % 2 : random() % 4;
    for (std::uint64_t i = 0; i < holders; ++i) {
        row.info.references.push_back(holder(random() % kPrograms.size(), 1 + random() % 3));
        row.info.reference_count += row.info.references.back().count;
    }
    row.holders = static_cast<std::uint32_t>(holders);
}

}  // namespace

RegionRow make_region(std::mt19937_64& random, std::uint32_t slot, std::uint64_t generation) {
    RegionRow row;
    row.slot = slot;
    row.generation = generation;
    auto& info = row.info;
    const auto at = now().micros - static_cast<std::int64_t>(random() % 5'000) * kSecond;
    info.id = {static_cast<std::uint64_t>(at), random()};
    info.size = (1ULL << (12 + random() % 15)) + (random() % 3) * 1000;
    info.actual_size = (info.size + 4095) & ~4095ULL;
    info.created_at = {at};
    info.last_accessed = {at +
                          (now().micros - at) * static_cast<std::int64_t>(random() % 100) / 100};
    info.access_count = random() % 10'000;
    const auto program = random() % kPrograms.size();
    info.owner_pid = static_cast<std::int64_t>(pid_of(program));
    info.owner_uid = kUser;
    info.owner_process = pick(kPrograms, program);
    info.worker = pick(kWorkers, program);
    info.session = fmt::format("session-{}", random() % 5);
    info.cleanup_policy = static_cast<CleanupPolicy>(random() % 3);
    info.timeout_ms = random() % 2 ? 300'000 : 0;
    const auto dice = random() % 100;
    info.state = dice < 90   ? RegionState::live
                 : dice < 95 ? RegionState::orphan
                 : dice < 98 ? RegionState::closing
                 : dice < 99 ? RegionState::quarantined
                             : RegionState::damaged;
    const auto level = random() % 10;
    info.security_level = level == 0   ? SecurityLevel::maximum
                          : level <= 2 ? SecurityLevel::high
                                       : SecurityLevel::standard;
    info.metadata = R"({"dtype":"float32","shape":[1024,768]})";
    info.platform_handle = "/snakepit_default_" + info.id.str();
    set_holders(row, random);
    return row;
}

SyntheticWorld::SyntheticWorld(std::size_t regions, unsigned seed) : random_(seed) {
    for (std::uint32_t slot = 0; slot < regions; ++slot)
        rows_.push_back(make_region(random_, slot, next_generation_++));
}

RegistryDelta SyntheticWorld::everything() const {
    const std::lock_guard lock(mutex_);
    RegistryDelta delta;
    for (const auto& row : rows_)
        if (row.generation != 0) delta.changed.push_back(row);
    return delta;
}

std::vector<RegionRow> SyntheticWorld::rows() const {
    return everything().changed;
}

RegistryDelta SyntheticWorld::step(double share) {
    const std::lock_guard lock(mutex_);
    RegistryDelta delta;
    delta.vacated = std::move(vacated_);
    vacated_.clear();
    if (rows_.empty()) return delta;
    for (const auto slot : edited_)
        if (rows_[slot].generation != 0) delta.changed.push_back(rows_[slot]);
    edited_.clear();
    const auto count = static_cast<std::size_t>(share * static_cast<double>(rows_.size()));
    for (std::size_t i = 0; i < count; ++i) {
        auto& row = rows_[random_() % rows_.size()];
        if (row.generation == 0 || random_() % 40 == 0) {
            row = make_region(random_, static_cast<std::uint32_t>(&row - rows_.data()),
                              next_generation_++);
            row.info.created_at = row.info.last_accessed = now();
        } else {
            set_holders(row, random_);
            row.info.last_accessed = now();
            ++row.info.access_count;
        }
        delta.changed.push_back(row);
    }
    // One row a slot, the last one: as a reader would report it.
    std::stable_sort(delta.changed.begin(), delta.changed.end(),
                     [](const auto& a, const auto& b) { return a.slot < b.slot; });
    const auto last = std::unique(delta.changed.rbegin(), delta.changed.rend(),
                                  [](const auto& a, const auto& b) { return a.slot == b.slot; });
    delta.changed.erase(delta.changed.begin(), last.base());
    return delta;
}

std::vector<ClientInfo> SyntheticWorld::clients() const {
    std::vector<ClientInfo> out;
    if (rows_.empty()) return out;
    for (std::uint32_t i = 0; i < kPrograms.size(); ++i)
        out.push_back({i,
                       i + 1,
                       static_cast<std::int64_t>(pid_of(i)),
                       kUser,
                       {now().micros - (i + 1) * 97 * kSecond},
                       i != 3,
                       i == 5,
                       kPrograms[i],
                       kWorkers[i],
                       i % 2 ? "gpu" : "cpu",
                       fmt::format("session-{}", i)});
    if (const auto name = this->name(); !name.empty())
        for (auto& client : out)
            client.process = client.worker = client.pool = client.session = name;
    return out;
}

layout::Sample SyntheticWorld::sample(std::uint64_t seq, std::int64_t at) const {
    layout::Sample sample{};
    sample.time = at;
    sample.seq = seq;
    const std::lock_guard lock(mutex_);
    for (const auto& row : rows_) {
        if (row.generation == 0) continue;
        sample.regions += 1;
        sample.orphans += row.info.state == RegionState::orphan;
        sample.bytes_used += row.info.size;
        sample.references += row.info.reference_count;
    }
    // A slow wave with steps on it, so that there is something to look at.
    const auto wave = 1.0 + 0.25 * std::sin(static_cast<double>(seq) / 40) +
                      0.08 * static_cast<double>((seq / 13) % 4);
    sample.bytes_used = static_cast<std::uint64_t>(static_cast<double>(sample.bytes_used) * wave);
    sample.references = static_cast<std::uint64_t>(static_cast<double>(sample.references) * wave);
    sample.bytes_reserved = sample.bytes_used + sample.bytes_used / 12;
    sample.clients = kPrograms.size();
    sample.allocations = 1200 + seq;
    sample.alerts_firing = alerts_firing_;
    sample.alerts_unacknowledged = alerts_unacknowledged_;
    sample.timed = synthetic_timed(seq);
    sample.shm_total = 16ULL << 30;
    sample.shm_free = sample.shm_total - std::min(sample.shm_total, sample.bytes_reserved);
    return sample;
}

void SyntheticWorld::remove(const RegionId& id) {
    const std::lock_guard lock(mutex_);
    for (auto& row : rows_)
        if (row.generation != 0 && row.info.id == id) {
            row.generation = 0;
            vacated_.push_back(row.slot);
        }
}

void SyntheticWorld::edit(const RegionId& id, const std::function<void(RegionRow&)>& change) {
    const std::lock_guard lock(mutex_);
    for (auto& row : rows_)
        if (row.generation != 0 && row.info.id == id) {
            change(row);
            edited_.push_back(row.slot);
        }
}

void SyntheticWorld::rename(const std::string& name) {
    const std::lock_guard lock(mutex_);
    name_ = name;
    for (auto& row : rows_) {
        auto& info = row.info;
        info.owner_process = info.worker = info.session = info.metadata = info.name = name;
        for (auto& holder : info.references) holder.process = holder.worker = name;
        edited_.push_back(row.slot);
    }
}

std::string SyntheticWorld::name() const {
    const std::lock_guard lock(mutex_);
    return name_;
}

Result<SourceTick> SyntheticRegions::poll() {
    SourceTick tick;
    tick.delta = polls_ == 0 ? world_.everything() : world_.step(share_);
    tick.clients = world_.clients();
    constexpr std::uint64_t kHistory = 300;
    const auto wanted = kHistory + polls_ / 4;
    while (samples_ < wanted) {
        ++samples_;
        const auto back = static_cast<std::int64_t>(wanted - samples_);
        tick.samples.push_back(world_.sample(samples_, now().micros - back * kSecond));
    }
    ++polls_;
    if (!world_.heart_stopped())
        last_beat_ = now();
    else
        last_beat_ = {now().micros - 60 * kSecond};
    tick.heartbeat = last_beat_;
    tick.manager_pid = 4100;
    tick.event_head = 40'000 + polls_;
    tick.timings = synthetic_timings(polls_);
    return tick;
}

EventRow SyntheticEvents::row(std::int64_t seq) const {
    static constexpr std::array kKinds{EventKind::allocated,   EventKind::mapped,
                                       EventKind::references,  EventKind::references,
                                       EventKind::freed,       EventKind::client_connected,
                                       EventKind::client_gone, EventKind::refused,
                                       EventKind::cleanup,     EventKind::owner_gone};
    static constexpr std::array kSecurity{EventKind::policy_changed, EventKind::accessed,
                                          EventKind::access_ended, EventKind::key_rotated,
                                          EventKind::config_loaded};
    EventRow row;
    row.ring_seq = static_cast<std::uint64_t>(seq);
    row.seq = seq;
    row.time = {now().micros - (total_ - seq) * 700'000};
    std::mt19937_64 random(static_cast<std::uint64_t>(seq));
    row.kind = kKinds[random() % kKinds.size()];
    if (random() % 12 == 0) row.kind = kSecurity[random() % kSecurity.size()];
    row.pid = static_cast<std::int64_t>(pid_of(random() % kPrograms.size()));
    row.uid = random() % 5 ? kUser : 0;
    row.result = row.kind == EventKind::refused ? "permission_denied" : "ok";
    const auto rows = world_.rows();
    const bool about_region = row.kind != EventKind::client_connected &&
                              row.kind != EventKind::client_gone && row.kind != EventKind::cleanup;
    if (about_region && !rows.empty()) row.region_id = rows[random() % rows.size()].info.id.str();
    switch (row.kind) {
        case EventKind::allocated:
            row.detail = R"({"size":4194304,"process":"python3"})";
            break;
        case EventKind::freed:
            row.detail = R"({"size":4194304,"reason":"deallocated"})";
            break;
        case EventKind::references:
            row.detail = fmt::format(
                R"({{"count":{},"holders":[{{"pid":4711,"process":"python3","started":"2026-11-22T22:17:35.000000Z","count":1,"read_only":false}}],"more":1}})",
                1 + random() % 9);
            break;
        case EventKind::cleanup:
            row.detail = R"({"regions":3,"bytes":12582912,"scope":"due"})";
            break;
        case EventKind::refused:
            row.detail = R"({"operation":"map","reason":"no permission and no rule allows it"})";
            break;
        case EventKind::policy_changed:
            row.detail = R"({"policy":"read_write/read_only/none, 2 rules, audited"})";
            break;
        case EventKind::accessed:
            row.detail = R"({"access":"read_only"})";
            break;
        case EventKind::key_rotated:
            row.detail = R"({"key_version":3,"process":"ingest"})";
            break;
        case EventKind::config_loaded:
            row.detail = R"({"file":"/etc/snakepit-shm/config.toml"})";
            break;
        case EventKind::owner_gone:
            row.detail = R"({"policy":"automatic"})";
            break;
        case EventKind::mapped:
            row.detail = "{}";
            break;
        default:
            row.detail = R"({"process":"tensor_loader"})";
            break;
    }
    if (const auto name = world_.name(); !name.empty()) {
        row.detail = "{\"process\":";
        append_json_string(row.detail, name);
        row.detail += '}';
        row.result = name;
    }
    return row;
}

Result<std::vector<EventRow>> SyntheticEvents::query(const EventQuery& query) {
    std::vector<EventRow> out;
    // Enough of the newest for what pictures ask by region; tests use small totals.
    const auto low = std::max<std::int64_t>({1, query.after_seq + 1, total_ - 20'000});
    const auto high = query.before_seq ? query.before_seq - 1 : total_.load();
    const auto take = [&](std::int64_t seq) {
        auto event = row(seq);
        const auto& kinds = query.kinds;
        if (!kinds.empty() && std::find(kinds.begin(), kinds.end(), event.kind) == kinds.end())
            return;
        if (query.region_id && event.region_id != *query.region_id) return;
        const auto text = fmt::format("{} {} {} {} {}", event.region_id, to_string(event.kind),
                                      event.pid, event.result, event.detail);
        for (const auto& word : query.words)
            if (text.find(word) == std::string::npos) return;
        out.push_back(std::move(event));
    };
    const auto full = [&] { return static_cast<int>(out.size()) >= query.limit; };
    if (query.newest_first)
        for (auto seq = high; seq >= low && !full(); --seq) take(seq);
    else
        for (auto seq = low; seq <= high && !full(); ++seq) take(seq);
    return out;
}

Result<RegionInfo> SyntheticManager::info(const RegionId& id) {
    for (const auto& row : world_.rows())
        if (row.info.id == id) return row.info;
    return fail(ErrorCode::region_not_found, "there is no region " + id.str(),
                "list what there is");
}

std::int64_t SyntheticManager::start_time_of(std::int64_t pid) {
    const auto known = start_times.find(pid);
    return known == start_times.end() ? 0 : known->second;
}

Result<CleanupResult> SyntheticManager::cleanup(const CleanupRequest& request) {
    cleanups.push_back(request);
    CleanupResult result;
    result.dry_run = request.dry_run;
    for (const auto& row : world_.rows()) {
        const auto& info = row.info;
        if (info.state != RegionState::orphan) continue;
        if (!request.only.empty() &&
            std::find(request.only.begin(), request.only.end(), info.id) == request.only.end())
            continue;
        const bool goes = info.reference_count == 0;
        result.items.push_back(
            {info.id, info.actual_size,
             goes ? "owner gone, nobody holds it, grace period over" : "still held by 1 program",
             goes});
        if (!goes) continue;
        ++result.removed;
        result.bytes_freed += info.actual_size;
        if (!request.dry_run) world_.remove(info.id);
    }
    return result;
}

Result<bool> SyntheticManager::deallocate(const RegionId& id, bool force) {
    deallocations.emplace_back(id, force);
    auto known = info(id);
    if (!known) return fail(known.error());
    if (known->reference_count > 0 && !force) return false;
    world_.remove(id);
    return true;
}

Result<std::unique_ptr<ByteSource>> SyntheticManager::bytes_of(const RegionId& id) {
    class Bytes : public ByteSource {
      public:
        Bytes(SyntheticManager& manager, const RegionId& region) : manager_(manager), id_(region) {}
        Result<std::string> read(std::uint64_t offset, std::size_t size) override {
            const std::lock_guard lock(manager_.contents_mutex);
            const auto found = manager_.contents.find(id_);
            if (found == manager_.contents.end())
                return fail(ErrorCode::permission_denied, "the region's policy does not allow it",
                            "ask its owner");
            return offset < found->second.size() ? found->second.substr(offset, size)
                                                 : std::string();
        }

      private:
        SyntheticManager& manager_;
        RegionId id_;
    };
    return std::make_unique<Bytes>(*this, id);
}

Result<std::string> SyntheticManager::restore(const RegionId& id) {
    SHM_ASSIGN(const auto known, info(id));
    if (known.state != RegionState::quarantined)
        return fail(ErrorCode::invalid_argument, id.str() + " is not in quarantine", "list them");
    return "due in 5 min";
}

}  // namespace snakepit::shm::ui
