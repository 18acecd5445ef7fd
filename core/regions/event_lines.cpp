// SPDX-License-Identifier: MIT
#include "regions/event_lines.h"

#include <algorithm>
#include <utility>

#include "platform/doorbell.h"

namespace snakepit::shm {

namespace {

constexpr std::size_t kTakenAtOnce = 500;  // fits a frame
// A program that takes nothing, while its threads lock, must not fill our memory.
constexpr std::size_t kMostNotes = 16'384;

}  // namespace

Result<Handle> EventLines::open(std::uint64_t serial) {
    SHM_ASSIGN(auto made, Doorbell::make());
    auto& line = lines_[serial];
    line = {};
    line.ring = std::move(made.ring);
    return std::move(made.wait);
}

void EventLines::add(std::uint64_t serial, const EventNote& note) {
    const auto found = lines_.find(serial);
    if (found == lines_.end()) return;
    auto& line = found->second;
    if (line.notes.size() < kMostNotes)
        line.notes.push_back(note);
    else
        line.lost = true;
    if (std::exchange(line.rung, true)) return;
    if (!ring(line.ring)) lines_.erase(found);
}

EventLines::Taken EventLines::take(std::uint64_t serial) {
    Taken taken;
    const auto found = lines_.find(serial);
    // It has a line that we do not know, so it missed what was noted meanwhile.
    if (found == lines_.end()) return {{}, false, true};
    auto& line = found->second;
    line.rung = false;
    if (std::exchange(line.lost, false)) {
        line.notes.clear();
        return {{}, false, true};
    }
    const auto count = std::min(line.notes.size(), kTakenAtOnce);
    const auto end = line.notes.begin() + static_cast<std::ptrdiff_t>(count);
    taken.notes.assign(line.notes.begin(), end);
    line.notes.erase(line.notes.begin(), end);
    taken.more = !line.notes.empty();
    return taken;
}

}  // namespace snakepit::shm
