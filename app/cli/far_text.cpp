// SPDX-License-Identifier: MIT
#include "far_text.h"

#include <optional>

#include "text_columns.h"

namespace snakepit::shm::cli {

namespace {

constexpr char kEscape = '\x1b';
constexpr std::size_t kLongestSequence = 24;
constexpr std::size_t kLongestCharacter = 4;  // of UTF-8, bytes

enum class Found : unsigned char { allowed, dropped, other, unfinished };
struct Sequence {
    Found what;
    std::size_t bytes = 0;
};

// ESC [ numbers letter
Sequence sequence_at(std::string_view text) {
    const auto cut = text.substr(0, kLongestSequence);
    const auto unfinished =
        text.size() < kLongestSequence ? Sequence{Found::unfinished} : Sequence{Found::other};
    if (cut.size() < 2) return unfinished;
    if (cut[1] != '[') return {Found::other};
    const auto end = cut.find_first_not_of("0123456789;", 2);
    if (end == cut.npos) return unfinished;
    const auto numbers = cut.substr(2, end - 2);
    if (cut[end] == 'm') return {Found::allowed, end + 1};
    if (cut[end] == 'H' && numbers.empty()) return {Found::allowed, end + 1};
    if (cut[end] == 'J' && numbers == "2") return {Found::allowed, end + 1};
    // What was on the terminal before stays.
    if (cut[end] == 'J' && numbers == "3") return {Found::dropped, end + 1};
    return {Found::other};
}

// The rest of a character may come with the next piece.
bool may_be_cut(std::string_view text) {
    return text.size() < kLongestCharacter && static_cast<unsigned char>(text[0]) >= 0x80 &&
           decode_utf8(text).bytes == 0;
}

}  // namespace

std::string FarText::take(std::string_view piece) {
    text_ += piece;
    std::string out;
    std::string_view rest(text_);
    while (!rest.empty()) {
        if (rest[0] == kEscape) {
            const auto [what, bytes] = sequence_at(rest);
            if (what == Found::unfinished) break;
            if (what == Found::allowed) out += rest.substr(0, bytes);
            if (what != Found::other) {
                rest.remove_prefix(bytes);
                continue;
            }
        }
        if (may_be_cut(rest)) break;
        const auto bytes = next_step(rest).bytes;
        out += sanitized_lines(rest.substr(0, bytes));
        rest.remove_prefix(bytes);
    }
    text_.erase(0, text_.size() - rest.size());
    return out;
}

std::string FarText::finish() {
    auto out = sanitized_lines(text_);
    text_.clear();
    return out;
}

}  // namespace snakepit::shm::cli
