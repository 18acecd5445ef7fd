// SPDX-License-Identifier: MIT
// What the terminal monitor is told, made up.
#pragma once

#include <string>
#include <vector>

#include "top/model.h"
#include "top/view.h"

namespace snakepit::shm::test {

inline constexpr Timestamp kNow{1'700'000'000'000'000};
inline constexpr std::int64_t kSecond = 1'000'000;

inline RegionRow region(std::uint32_t slot, std::uint64_t size) {
    RegionRow row;
    row.slot = slot;
    row.generation = 1;
    row.info.id = {1000 + slot, 0xABCD'0000'0000'0000ULL + slot};
    row.info.size = size;
    row.info.actual_size = size;
    row.info.created_at = {kNow.micros - slot * kSecond};
    row.info.last_accessed = kNow;
    row.info.owner_pid = 100 + slot;
    row.info.owner_process = "maker";
    return row;
}

inline void hold(RegionRow& row, std::int64_t pid, const std::string& process,
                 std::uint64_t count = 1) {
    row.info.references.push_back({pid, process, count});
    row.info.reference_count += count;
    row.holders += 1;
}

inline ClientInfo client(std::int64_t pid, const std::string& process,
                         const std::string& worker = {}) {
    ClientInfo out;
    out.index = static_cast<std::uint32_t>(pid);
    out.serial = static_cast<std::uint64_t>(pid);
    out.pid = pid;
    out.connected_at = kNow;
    out.connected = true;
    out.process = process;
    out.worker = worker;
    return out;
}

inline layout::Sample sample(std::uint64_t seq) {
    layout::Sample out{};
    out.seq = seq;
    out.time = kNow.micros + static_cast<std::int64_t>(seq) * kSecond;
    out.shm_total = 1000;
    out.shm_free = 900;
    out.recorder_writable = 1;
    return out;
}

inline cli::Snapshot snapshot(std::vector<RegionRow> changed,
                              std::vector<std::uint32_t> vacated = {}, Timestamp at = kNow) {
    cli::Snapshot out;
    out.at = at;
    out.delta.changed = std::move(changed);
    out.delta.vacated = std::move(vacated);
    out.manager_pid = 4711;
    out.started_at = {at.micros - 60 * kSecond};
    out.heartbeat = at;
    return out;
}

inline void press(cli::Model& model, cli::KeyPress::Kind kind) {
    model.key({kind});
}
inline void press(cli::Model& model, char32_t letter) {
    model.key({cli::KeyPress::Kind::character, letter});
}
inline void type(cli::Model& model, std::u32string_view letters) {
    for (const auto letter : letters) press(model, letter);
}

}  // namespace snakepit::shm::test
