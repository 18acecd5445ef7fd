// SPDX-License-Identifier: MIT
// UTF-8 text on a terminal: how wide it is, where it is cut, and what of it may get there at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"

namespace snakepit::shm::cli {

// One code point of text, sanitized: control characters, marks that turn the direction of
// writing and bytes that are not UTF-8 come out as U+FFFD. Names of processes are chosen by anyone.
struct TextStep {
    char32_t code = 0;
    std::size_t bytes = 0;  // read; 0 at the end
    int columns = 0;        // 0: combines with the one before; 2: wide
};
TextStep next_step(std::string_view utf8);

// Terminal columns of UTF-8 text.
std::size_t columns(std::string_view utf8);
// `utf8` sanitized and filled up with spaces to `width` columns, or cut to them; never more.
std::string truncated(std::string_view utf8, std::size_t width, bool right = false);
// `utf8` sanitized, whole; line ends are replaced too.
std::string sanitized(std::string_view utf8);
// `name` so that it can be typed again: what `sanitized` would replace as escapes (\n, \t, \xff),
// and a backslash as two.
std::string escaped(std::string_view name);
// The name that `escaped` shows like this; `shown` itself if there is none. No two names are shown
// alike.
std::string unescaped(std::string_view shown);
// Cut in the middle to at most `width` columns.
std::string shortened(std::string_view utf8, std::size_t width);
// The same of several lines: their ends, and tabs, stay.
std::string sanitized_lines(std::string_view utf8);
// The same JSON: what a terminal would obey is escaped, so that it still says the same.
std::string sanitized_json(std::string_view json);

// In pieces of at most `width` columns, cut at spaces where that leaves no line half empty; those
// after the first are indented by `indent` spaces, where the width leaves room for that.
std::vector<std::string> wrapped(std::string_view utf8, std::size_t width, std::size_t indent = 4);

// "python (1234)", or the pid alone; "python (1234), worker w7" where the worker has a name.
std::string process_label(std::string_view name, std::int64_t pid, std::string_view worker = {});

}  // namespace snakepit::shm::cli
