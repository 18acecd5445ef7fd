// SPDX-License-Identifier: MIT
#include "base/region_name.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/ids.h"
#include "base/json.h"

namespace snakepit::shm {

namespace {

constexpr std::string_view kIdPrefix = "shm_";

// Of valid UTF-8: U+0000 to U+001F, U+007F, and U+0080 to U+009F.
bool has_control_characters(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte < 0x20 || byte == 0x7F) return true;
        if (byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0)
            return true;
    }
    return false;
}

// What is wrong with the name; empty: nothing.
std::string fault_of(std::string_view name) {
    if (name.empty()) return "it is empty";
    if (name.size() > kMaxRegionNameBytes)
        return fmt::format("it has {} bytes; the maximum is {}", name.size(), kMaxRegionNameBytes);
    if (valid_utf8(name) != name) return "it is not UTF-8";
    if (has_control_characters(name)) return "it has control characters";
    if (name.find('/') != std::string_view::npos) return "it contains '/'";
    if (name.starts_with(kIdPrefix)) return "it begins with 'shm_', as ids do";
    if (name.front() == '-' || name.front() == '~')
        return fmt::format("it begins with '{}'", name.front());
    return {};
}

// For a sentence: no control characters, and not too long.
std::string shown(std::string_view text) {
    auto out = valid_utf8(text.substr(0, 80));
    std::replace_if(
        out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, '?');
    return out;
}

}  // namespace

Status check_region_name(std::string_view name) {
    const auto fault = fault_of(name);
    if (fault.empty()) return {};
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' cannot be a region's name: {}", shown(name), fault),
                "use at most 255 bytes of UTF-8 without control characters and '/', not beginning "
                "with 'shm_', '-' or '~'");
}

Result<RegionName> RegionName::parse(std::string_view word) {
    if (word.starts_with(kIdPrefix)) return fail(RegionId::parse(word).error());
    RegionName out;
    const auto slash = word.find('/');
    if (slash != std::string_view::npos) out.user = word.substr(0, slash);
    out.name = word.substr(slash == std::string_view::npos ? 0 : slash + 1);
    const bool plausible = slash == std::string_view::npos || slash > 0;
    if (plausible && fault_of(out.name).empty() && !has_control_characters(out.user)) return out;
    return fail(ErrorCode::invalid_region_id,
                fmt::format("'{}' is neither a region's id nor its name", shown(word)),
                "pass the id as allocate returned it, the region's name, or USER/NAME");
}

}  // namespace snakepit::shm
