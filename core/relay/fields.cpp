// SPDX-License-Identifier: MIT
#include "relay/fields.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace snakepit::shm::relay {

namespace {

std::string_view without_zeros(std::string_view text) {
    return text.substr(0, text.find('\0'));
}

}  // namespace

Fields& Fields::add(std::string_view name, std::string_view value) {
    fields_.emplace_back(name, without_zeros(value));
    return *this;
}

Fields& Fields::add(std::string_view name, std::int64_t value) {
    return add(name, fmt::format("{}", value));
}

std::string_view Fields::text(std::string_view name) const {
    const auto found = std::find_if(fields_.begin(), fields_.end(),
                                    [name](const auto& field) { return field.first == name; });
    return found == fields_.end() ? std::string_view() : found->second;
}

std::int64_t Fields::number(std::string_view name) const {
    const auto word = text(name);
    std::int64_t out = 0;
    const auto read = std::from_chars(word.data(), word.data() + word.size(), out);
    return read.ec == std::errc{} && read.ptr == word.data() + word.size() ? out : 0;
}

std::vector<std::string> Fields::all(std::string_view name) const {
    std::vector<std::string> out;
    for (const auto& [known, value] : fields_)
        if (known == name) out.push_back(value);
    return out;
}

std::string Fields::encode() const {
    std::string out;
    for (const auto& [name, value] : fields_) {
        out += name;
        out += '=';
        out += value;
        out += '\0';
    }
    return out;
}

Result<Fields> Fields::decode(std::string_view payload) {
    Fields out;
    while (!payload.empty()) {
        const auto end = payload.find('\0');
        const auto middle = payload.substr(0, end).find('=');
        if (end == payload.npos || middle == payload.npos || out.fields_.size() == kMaxFields)
            return fail(ErrorCode::protocol_error, "a message of the relay cannot be read",
                        "use the same release on both machines");
        out.fields_.emplace_back(payload.substr(0, middle),
                                 payload.substr(middle + 1, end - middle - 1));
        payload.remove_prefix(end + 1);
    }
    return out;
}

}  // namespace snakepit::shm::relay
