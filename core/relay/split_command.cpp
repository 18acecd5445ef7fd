// SPDX-License-Identifier: MIT
#include "relay/split_command.h"

namespace snakepit::shm::relay {

namespace {

constexpr std::string_view kSpaces = " \t\n";

}  // namespace

Result<std::vector<std::string>> split_command(std::string_view text) {
    std::vector<std::string> out;
    char quote = 0;
    bool in_word = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const char next = i + 1 < text.size() ? text[i + 1] : '\0';
        if (quote == 0 && kSpaces.find(c) != kSpaces.npos) {
            in_word = false;
            continue;
        }
        if (!in_word) out.emplace_back();
        in_word = true;
        if (c == quote) {
            quote = 0;
        } else if (quote == 0 && (c == '\'' || c == '"')) {
            quote = c;
        } else if (c == '\\' && next != 0 &&
                   (quote == 0 || (quote == '"' && (next == '"' || next == '\\')))) {
            out.back() += next;
            ++i;
        } else {
            out.back() += c;
        }
    }
    if (quote != 0)
        return fail(ErrorCode::invalid_argument, "--via: a quote is not closed",
                    "quote the whole command once, as in --via 'ssh host'");
    if (out.empty() || out.front().empty())
        return fail(ErrorCode::invalid_argument, "--via: no command was given",
                    "give one that runs programs there, as in --via 'ssh host'");
    return out;
}

}  // namespace snakepit::shm::relay
