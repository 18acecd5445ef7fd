// SPDX-License-Identifier: MIT
// The regions as they were last read: which match the filter, and in what order they are shown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/filter.h"
#include "layout/registry_reader.h"
#include "top/ranking.h"

namespace snakepit::shm::cli {

enum class SortKey : std::uint8_t { size, references, age, used, holders, name };

struct Sorting {
    SortKey key = SortKey::size;
    bool reversed = false;
    // The same key again turns the order round.
    void choose(SortKey wanted);
};

struct RegionTotals {
    std::uint64_t regions = 0, orphans = 0, references = 0, matching = 0;
};

class RegionRows {
  public:
    void take(RegistryDelta delta, Timestamp at);
    // Empty text: everything matches.
    Status set_filter(const std::string& text);
    const std::string& filter() const { return filter_text_; }

    const RegionTotals& totals() const { return totals_; }
    const RegionRow* find(const RegionId& id) const;
    // Calls `visit(row)` for each that matches.
    template <typename Visit>
    void each_matching(Visit visit) const {
        for (const auto& entry : entries_)
            if (entry.matches) visit(entry.row);
    }

    struct Page {
        std::vector<const RegionRow*> rows;
        std::size_t first = 0;
        std::optional<std::size_t> chosen;
    };
    // Sorts no more than it answers.
    Page page(Cursor& cursor, std::size_t lines, const Sorting& sorting) const;
    // All that match, in order.
    std::vector<const RegionRow*> all(const Sorting& sorting) const;

  private:
    struct Entry {
        RegionRow row;
        std::string prepared;  // RegionFilter::search_text, once a filter needed it
        bool matches = true;
    };
    void put(RegionRow row);
    void erase(std::uint32_t slot);
    void match(Entry& entry);
    void count();
    Ranking ranking(SortKey key) const;

    std::vector<Entry> entries_;
    std::unordered_map<std::uint32_t, std::uint32_t> place_;  // slot -> index into entries_
    std::string filter_text_;
    RegionFilter filter_;
    Timestamp at_;
    RegionTotals totals_;
};

}  // namespace snakepit::shm::cli
