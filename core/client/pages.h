// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "protocol/messages.h"

namespace snakepit::shm {

// Collects a list that is sent in pages, slot by slot. `page_from(slot)` requests the page that
// begins there. Returns all entries, regions by the time they were allocated and others by id: an
// id may be older than its region.
template <typename Item, typename PageFrom>
Result<std::vector<Item>> all_pages(PageFrom page_from) {
    std::vector<Item> out;
    for (std::uint32_t slot = 0;;) {
        SHM_ASSIGN(const auto page, page_from(slot));
        for (const auto& one : page.regions)
            if (one) out.push_back(from_wire(*one));
        if (!page.more) break;
        slot = page.next_slot;
    }
    std::sort(out.begin(), out.end(), [](const Item& a, const Item& b) {
        if constexpr (requires { a.created_at; })
            if (a.created_at != b.created_at) return a.created_at < b.created_at;
        return a.id < b.id;
    });
    return out;
}

}  // namespace snakepit::shm
