// SPDX-License-Identifier: MIT
// The rows of a table in order, of which only those on the screen are sorted; and the chosen one,
// which stays itself while rows move.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace snakepit::shm::cli {

// What a row is for as long as it lives: a region's id, a process id, an alert's number.
struct Identity {
    std::uint64_t high = 0, low = 0;
    friend auto operator<=>(const Identity&, const Identity&) = default;
};

struct Ranked {
    std::int64_t key = 0;
    Identity identity;        // decides between equal keys
    std::uint32_t index = 0;  // whose row it is
};

enum class Move : std::uint8_t { up, down, page_up, page_down, home, end };

// Where one is in a table. Nothing is chosen until one moves: the screen stays at the top.
class Cursor {
  public:
    void move(Move move);
    void release();
    bool chosen() const { return chosen_; }
    // Of the chosen row, or the first one where none is; nothing for an empty table.
    const std::optional<Identity>& at() const { return at_; }

  private:
    friend class Ranking;
    bool chosen_ = false;
    bool moved_ = false;  // the row is known by its rank, until the next page
    std::size_t rank_ = 0, first_ = 0, page_ = 1;
    std::optional<Identity> at_;
};

struct RankedPage {
    std::size_t first = 0;               // rank of the first row
    std::vector<std::uint32_t> indexes;  // of the rows, in order
    std::optional<std::size_t> chosen;   // place in `indexes`
};

class Ranking {
  public:
    void clear() { rows_.clear(); }
    void reserve(std::size_t n) { rows_.reserve(n); }
    void add(const Ranked& row) { rows_.push_back(row); }
    std::size_t size() const { return rows_.size(); }
    // Highest key first, or lowest. `lines`: how many there is room for.
    RankedPage page(Cursor& cursor, std::size_t lines, bool lowest_first);
    // All indexes in order.
    std::vector<std::uint32_t> all(bool lowest_first);

  private:
    void settle(Cursor& cursor, std::size_t lines, bool lowest_first) const;

    std::vector<Ranked> rows_;
};

}  // namespace snakepit::shm::cli
