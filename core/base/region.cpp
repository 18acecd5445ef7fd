// SPDX-License-Identifier: MIT
#include "base/region.h"

#include <array>

namespace snakepit::shm {

namespace {

constexpr std::array<std::string_view, 3> kPermissions{"none", "read_only", "read_write"};
constexpr std::array<std::string_view, 3> kLevels{"standard", "high", "maximum"};
constexpr std::array<std::string_view, 3> kPolicies{"automatic", "manual", "reference_counted"};
constexpr std::array<std::string_view, 4> kOwnerEnds{"automatic", "keep", "grace", "withdraw"};
constexpr std::array<std::string_view, 3> kPlacements{"automatic", "pooled", "dedicated"};
constexpr std::array<std::string_view, 2> kModes{"read_only", "read_write"};
constexpr std::array<std::string_view, 6> kStates{"live",        "orphan",  "closing",
                                                  "quarantined", "revoked", "damaged"};

template <typename E, std::size_t N>
std::string_view name(const std::array<std::string_view, N>& names, E value) {
    const auto index = static_cast<std::size_t>(value);
    return index < N ? names[index] : "unknown";
}

template <typename E, std::size_t N>
std::optional<E> value(const std::array<std::string_view, N>& names, std::string_view text) {
    for (std::size_t i = 0; i < N; ++i)
        if (names[i] == text) return static_cast<E>(i);
    return std::nullopt;
}

std::string_view long_form(std::string_view text) {
    if (text == "rw") return "read_write";
    if (text == "ro") return "read_only";
    return text;
}

}  // namespace

std::string_view to_string(Permission v) {
    return name(kPermissions, v);
}
std::string_view to_string(SecurityLevel v) {
    return name(kLevels, v);
}
std::string_view to_string(CleanupPolicy v) {
    return name(kPolicies, v);
}
std::string_view to_string(OwnerEnd v) {
    return name(kOwnerEnds, v);
}
std::string_view to_string(Placement v) {
    return name(kPlacements, v);
}
std::string_view to_string(AccessMode v) {
    return name(kModes, v);
}
std::string_view to_string(RegionState v) {
    return name(kStates, v);
}

std::span<const std::string_view> region_state_names() {
    return kStates;
}
std::span<const std::string_view> cleanup_policy_names() {
    return kPolicies;
}
std::span<const std::string_view> owner_end_names() {
    return std::span(kOwnerEnds).subspan(1);
}
std::span<const std::string_view> security_level_names() {
    return kLevels;
}
std::span<const std::string_view> placement_names() {
    return kPlacements;
}

std::optional<Permission> parse_permission(std::string_view text) {
    return value<Permission>(kPermissions, long_form(text));
}
std::optional<SecurityLevel> parse_security_level(std::string_view text) {
    return value<SecurityLevel>(kLevels, text);
}
std::optional<CleanupPolicy> parse_cleanup_policy(std::string_view text) {
    return value<CleanupPolicy>(kPolicies, text);
}
std::optional<OwnerEnd> parse_owner_end(std::string_view text) {
    return value<OwnerEnd>(kOwnerEnds, text);
}
std::optional<Placement> parse_placement(std::string_view text) {
    return value<Placement>(kPlacements, text);
}
std::optional<AccessMode> parse_access_mode(std::string_view text) {
    return value<AccessMode>(kModes, long_form(text));
}

}  // namespace snakepit::shm
