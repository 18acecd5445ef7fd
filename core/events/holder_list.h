// SPDX-License-Identifier: MIT
// How the ring entry of a `references` event carries who held the region at that moment.
//
// The service thread packs the list into the entry's text: what an entry says is complete when it
// is published, so the recorder asks nobody later, when a holder may be gone and its place in the
// client table be another's. One entry stays one row, and a kill loses neither more nor less than
// of any other event. The text has room for three holders that have nothing in common, and for
// about twelve workers of one pool: each is written as its difference from the one before. Those
// that do not fit are counted ("more" in the row's detail).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace snakepit::shm {

struct HolderEntry {
    std::int64_t pid = 0;
    std::int64_t start_time = 0;  // ProcessInfo::start_time
    std::string process;
    std::uint32_t count = 0;  // references
    bool read_only = false;
    friend bool operator==(const HolderEntry&, const HolderEntry&) = default;
};

// As many as fit, by process id. Begins with a zero: whoever takes it for text reads none.
std::string pack_holders(std::vector<HolderEntry> holders);
// Stops at whatever is not such a list.
std::vector<HolderEntry> unpack_holders(std::span<const char> text);

}  // namespace snakepit::shm
