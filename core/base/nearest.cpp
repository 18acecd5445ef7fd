// SPDX-License-Identifier: MIT
#include "base/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace snakepit::shm {

namespace {

constexpr std::size_t kLongest = 80;  // bounds the work
constexpr std::size_t kLettersForASlip = 3;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// The Levenshtein distance, ignoring case.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        auto diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            const auto change = diagonal + (lower(a[i]) == lower(b[j]) ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, change});
        }
    }
    return row.back();
}

}  // namespace

std::string nearest(std::string_view word, std::span<const std::string_view> known) {
    word = word.substr(0, kLongest);
    // About one typo in three letters: suggesting "roles" for "foo" would not make sense.
    auto least = std::max<std::size_t>(1, (word.size() + 1) / kLettersForASlip) + 1;
    std::string_view best;
    for (const auto each : known) {
        const auto far = distance(word, each);
        if (far >= least || far >= each.size()) continue;
        least = far;
        best = each;
    }
    return std::string(best);
}

}  // namespace snakepit::shm
