// SPDX-License-Identifier: MIT
#include "text_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace snakepit::shm::cli {

namespace {

struct Range {
    char32_t first, last;
};

template <std::size_t N>
bool within(const std::array<Range, N>& ranges, char32_t code) {
    const auto it = std::lower_bound(ranges.begin(), ranges.end(), code,
                                     [](const Range& range, char32_t c) { return range.last < c; });
    return it != ranges.end() && it->first <= code;
}

// Combining marks of the scripts in use, and selectors (Unicode 15, EastAsianWidth and general
// categories Mn, Me).
constexpr std::array<Range, 32> kCombining{{
    {0x0300, 0x036F}, {0x0483, 0x0489},   {0x0591, 0x05BD}, {0x05BF, 0x05C7}, {0x0610, 0x061A},
    {0x064B, 0x065F}, {0x0670, 0x0670},   {0x06D6, 0x06DC}, {0x06DF, 0x06E8}, {0x0711, 0x0711},
    {0x0730, 0x074A}, {0x07A6, 0x07B0},   {0x0900, 0x0902}, {0x093C, 0x093C}, {0x0941, 0x0948},
    {0x094D, 0x094D}, {0x0E31, 0x0E31},   {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E}, {0x0EB1, 0x0EB1},
    {0x0EB4, 0x0EBC}, {0x0EC8, 0x0ECE},   {0x135D, 0x135F}, {0x1AB0, 0x1ACE}, {0x1DC0, 0x1DFF},
    {0x200B, 0x200D}, {0x20D0, 0x20F0},   {0x302A, 0x302D}, {0x3099, 0x309A}, {0xFE00, 0xFE0F},
    {0xFE20, 0xFE2F}, {0xE0100, 0xE01EF},
}};

// East Asian wide and fullwidth, and pictures that terminals draw as wide.
constexpr std::array<Range, 32> kWide{{
    {0x1100, 0x115F},   {0x231A, 0x231B},   {0x2329, 0x232A}, {0x23E9, 0x23EC}, {0x23F0, 0x23F0},
    {0x23F3, 0x23F3},   {0x25FD, 0x25FE},   {0x2614, 0x2615}, {0x2648, 0x2653}, {0x267F, 0x267F},
    {0x2693, 0x2693},   {0x26A1, 0x26A1},   {0x2705, 0x2705}, {0x270A, 0x270B}, {0x2728, 0x2728},
    {0x274C, 0x274C},   {0x2753, 0x2757},   {0x2795, 0x2797}, {0x2B1B, 0x2B1C}, {0x2B50, 0x2B55},
    {0x2E80, 0x303E},   {0x3041, 0x4DBF},   {0x4E00, 0xA4CF}, {0xA960, 0xA97C}, {0xAC00, 0xD7A3},
    {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6}, {0x16FE0, 0x18CFF},
    {0x1B000, 0x1FAFF}, {0x20000, 0x3FFFD},
}};

}  // namespace

TextStep next_step(std::string_view utf8) {
    if (utf8.empty()) return {};
    const auto [code, length] = decode_utf8(utf8);
    if (length == 0 || is_harmful(code))
        return {kReplacementCharacter, std::max<std::size_t>(length, 1), 1};
    if (code < 0x300) return {code, length, 1};
    return {code, length, within(kCombining, code) ? 0 : within(kWide, code) ? 2 : 1};
}

std::string escaped(std::string_view name) {
    std::string out;
    for (auto step = next_step(name); step.bytes > 0; step = next_step(name)) {
        const auto text = name.substr(0, step.bytes);
        if (text == "\\")
            out += "\\\\";
        else if (text == "\n")
            out += "\\n";
        else if (text == "\t")
            out += "\\t";
        else if (step.code != kReplacementCharacter || text == "\xEF\xBF\xBD")
            out += text;
        else
            for (const auto byte : text)
                out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
        name.remove_prefix(step.bytes);
    }
    return out;
}

std::string unescaped(std::string_view shown) {
    std::string out;
    auto rest = shown;
    while (!rest.empty()) {
        const auto plain = rest.substr(0, rest.find('\\'));
        out += plain;
        rest.remove_prefix(plain.size());
        if (rest.empty()) break;
        const auto kind = rest.size() > 1 ? rest[1] : '\0';
        rest.remove_prefix(std::min<std::size_t>(2, rest.size()));
        if (kind == '\\') {
            out += '\\';
        } else if (kind == 'n' || kind == 't') {
            out += kind == 'n' ? '\n' : '\t';
        } else if (kind == 'x' && rest.size() >= 2) {
            unsigned char byte = 0;
            constexpr int kHexadecimal = 16;
            if (std::from_chars(rest.data(), rest.data() + 2, byte, kHexadecimal).ptr !=
                rest.data() + 2)
                return std::string(shown);
            out += static_cast<char>(byte);
            rest.remove_prefix(2);
        } else {
            return std::string(shown);
        }
    }
    return escaped(out) == shown ? out : std::string(shown);
}

namespace {

// The first `width` columns of it, in bytes.
std::size_t bytes_within(std::string_view utf8, std::size_t width) {
    std::size_t bytes = 0;
    for (auto step = next_step(utf8); step.bytes > 0; step = next_step(utf8.substr(bytes))) {
        const auto wide = static_cast<std::size_t>(step.columns);
        if (wide > width) break;
        width -= wide;
        bytes += step.bytes;
    }
    return bytes;
}

}  // namespace

std::string shortened(std::string_view utf8, std::size_t width) {
    const auto all = columns(utf8);
    if (all <= width) return std::string(utf8);
    const auto head = width / 2, tail = width - head - 1;
    auto skipped = bytes_within(utf8, all - tail);
    while (columns(utf8.substr(skipped)) > tail) skipped += next_step(utf8.substr(skipped)).bytes;
    return fmt::format("{}…{}", utf8.substr(0, bytes_within(utf8, head)), utf8.substr(skipped));
}

std::size_t columns(std::string_view utf8) {
    std::size_t out = 0;
    for (auto step = next_step(utf8); step.bytes > 0; step = next_step(utf8)) {
        out += static_cast<std::size_t>(step.columns);
        utf8.remove_prefix(step.bytes);
    }
    return out;
}

std::string truncated(std::string_view utf8, std::size_t width, bool right) {
    std::string out;
    std::size_t used = 0;
    for (auto step = next_step(utf8); step.bytes > 0; step = next_step(utf8)) {
        if (used + static_cast<std::size_t>(step.columns) > width) break;
        used += static_cast<std::size_t>(step.columns);
        append_utf8(out, step.code);
        utf8.remove_prefix(step.bytes);
    }
    const std::string space(width - used, ' ');
    return right ? space + out : out + space;
}

std::string sanitized(std::string_view utf8) {
    return truncated(utf8, columns(utf8));
}

std::string sanitized_lines(std::string_view utf8) {
    std::string out;
    for (auto step = next_step(utf8); step.bytes > 0; step = next_step(utf8)) {
        const bool between = utf8[0] == '\n' || utf8[0] == '\t';
        append_utf8(out, between ? static_cast<char32_t>(utf8[0]) : step.code);
        utf8.remove_prefix(step.bytes);
    }
    return out;
}

std::string sanitized_json(std::string_view json) {
    std::string out;
    while (!json.empty()) {
        const auto [code, length] = decode_utf8(json);
        const auto bytes = std::max<std::size_t>(length, 1);
        // Below DEL there is only what JSON itself is made of: the others are escaped already.
        if (length == 0 || code < 0x7F || !is_harmful(code)) {
            out.append(json.substr(0, bytes));
        } else if (code < 0x10000) {
            out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(code));
        } else {
            const auto rest = static_cast<std::uint32_t>(code - 0x10000);
            out +=
                fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10U), 0xDC00 + (rest & 0x3FFU));
        }
        json.remove_prefix(bytes);
    }
    return out;
}

std::vector<std::string> wrapped(std::string_view utf8, std::size_t width,
                                 std::size_t indent_size) {
    std::vector<std::string> out;
    std::string indent;
    while (width > 2 * indent_size && indent.size() + columns(utf8) > width) {
        const auto room = width - indent.size();
        std::size_t bytes = 0, used = 0, space = 0;
        for (;;) {
            const auto step = next_step(utf8.substr(bytes));
            used += static_cast<std::size_t>(step.columns);
            if (used > room) break;
            if (step.code == U' ' && used > room / 2) space = bytes;
            bytes += step.bytes;
        }
        const auto cut = space > 0 && utf8[bytes] != ' ' ? space : bytes;
        out.push_back(indent + std::string(utf8.substr(0, cut)));
        utf8.remove_prefix(cut);
        utf8.remove_prefix(std::min(utf8.find_first_not_of(' '), utf8.size()));
        indent.assign(indent_size, ' ');
    }
    if (!utf8.empty() || out.empty()) out.push_back(indent + std::string(utf8));
    return out;
}

std::string process_label(std::string_view name, std::int64_t pid, std::string_view worker) {
    if (pid == 0 && name.empty()) return "another pid namespace";
    auto out = name.empty() ? fmt::format("{}", pid) : fmt::format("{} ({})", name, pid);
    if (!worker.empty()) out += fmt::format(", worker {}", worker);
    return out;
}

}  // namespace snakepit::shm::cli
