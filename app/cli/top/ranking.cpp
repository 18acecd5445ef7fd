// SPDX-License-Identifier: MIT
#include "top/ranking.h"

#include <algorithm>

namespace snakepit::shm::cli {

namespace {

struct Before {
    bool lowest_first;
    bool operator()(const Ranked& a, const Ranked& b) const {
        if (a.key != b.key) return lowest_first ? a.key < b.key : a.key > b.key;
        return a.identity < b.identity;
    }
};

}  // namespace

void Cursor::move(Move move) {
    if (!chosen_) {
        chosen_ = true;
        moved_ = true;
        rank_ = first_;
        // The first key only shows where one is, unless it goes far.
        if (move == Move::up || move == Move::down || move == Move::home) return;
    }
    moved_ = true;
    const auto back = [this](std::size_t n) { rank_ -= std::min(rank_, n); };
    switch (move) {
        case Move::up:
            return back(1);
        case Move::page_up:
            return back(page_);
        case Move::home:
            return back(rank_);
        case Move::down:
            rank_ += 1;
            return;
        case Move::page_down:
            rank_ += page_;
            return;
        case Move::end:
            rank_ = SIZE_MAX / 2;
            return;
    }
}

void Cursor::release() {
    *this = Cursor{};
}

// Brings the cursor up to date with rows that moved, came and went; there is at least one.
void Ranking::settle(Cursor& cursor, std::size_t lines, bool lowest_first) const {
    const Before before{lowest_first};
    if (cursor.chosen_ && !cursor.moved_ && cursor.at_) {
        const auto self = std::find_if(rows_.begin(), rows_.end(), [&](const Ranked& row) {
            return row.identity == *cursor.at_;
        });
        // A row that is gone leaves its place to the one that has it now.
        if (self != rows_.end())
            cursor.rank_ = static_cast<std::size_t>(std::count_if(
                rows_.begin(), rows_.end(), [&](const Ranked& row) { return before(row, *self); }));
    }
    cursor.rank_ = std::min(cursor.rank_, rows_.size() - 1);
    if (!cursor.chosen_) cursor.first_ = 0;
    if (cursor.rank_ < cursor.first_) cursor.first_ = cursor.rank_;
    if (cursor.chosen_ && cursor.rank_ >= cursor.first_ + lines)
        cursor.first_ = cursor.rank_ - lines + 1;
    cursor.first_ = std::min(cursor.first_, rows_.size() - std::min(rows_.size(), lines));
}

RankedPage Ranking::page(Cursor& cursor, std::size_t lines, bool lowest_first) {
    cursor.page_ = std::max<std::size_t>(lines, 1);
    if (rows_.empty() || lines == 0) {
        cursor.at_.reset();
        return {};
    }
    settle(cursor, lines, lowest_first);
    const Before before{lowest_first};
    RankedPage out{cursor.first_, {}, {}};
    const auto begin = rows_.begin() + static_cast<std::ptrdiff_t>(out.first);
    const auto end = begin + static_cast<std::ptrdiff_t>(std::min(lines, rows_.size() - out.first));
    if (begin != rows_.begin()) std::nth_element(rows_.begin(), begin, rows_.end(), before);
    std::partial_sort(begin, end, rows_.end(), before);
    for (auto it = begin; it != end; ++it) out.indexes.push_back(it->index);
    if (cursor.chosen_) out.chosen = cursor.rank_ - out.first;
    cursor.at_ = begin[static_cast<std::ptrdiff_t>(out.chosen.value_or(0))].identity;
    cursor.moved_ = false;
    return out;
}

std::vector<std::uint32_t> Ranking::all(bool lowest_first) {
    std::sort(rows_.begin(), rows_.end(), Before{lowest_first});
    std::vector<std::uint32_t> out;
    out.reserve(rows_.size());
    for (const auto& row : rows_) out.push_back(row.index);
    return out;
}

}  // namespace snakepit::shm::cli
