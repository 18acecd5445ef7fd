// SPDX-License-Identifier: MIT
// How the ring entry of a `references` event carries the region's holders at that moment.
//
// The service thread packs the list into the entry's text: an entry is complete when it is
// published, so the recorder needs no look-up later, when a holder may have exited and its place in
// the client table may be another's. One entry stays one row, and a kill loses neither more nor
// less than of any other event. The text has room for two or three holders that have nothing in
// common, and for about eight workers of one pool: each is written as its difference from the one
// before. Those that do not fit are counted ("more" in the row's detail).
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
    std::string worker;  // empty: it told none, or there was no room
    friend bool operator==(const HolderEntry&, const HolderEntry&) = default;
};

// As many as fit, by process id. Begins with a zero: read as text it is empty.
std::string pack_holders(std::vector<HolderEntry> holders);
// Stops at the first byte that is not part of such a list.
std::vector<HolderEntry> unpack_holders(std::span<const char> text);

}  // namespace snakepit::shm
