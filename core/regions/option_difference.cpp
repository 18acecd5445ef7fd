// SPDX-License-Identifier: MIT
#include "regions/option_difference.h"

#include <string_view>
#include <type_traits>

#include <fmt/format.h>

#include "layout/registry_reader.h"

namespace snakepit::shm {

using namespace layout;

namespace {

constexpr std::size_t kShownMetadata = 100;  // bytes

class Comparison {
  public:
    template <typename T>
    void add(std::string_view what, T has, T asked) {
        if (has == asked) return;
        text_ += fmt::format("{}its {} is {}, requested is {}", text_.empty() ? "" : "; ", what,
                             shown(has), shown(asked));
    }
    std::string take() { return std::move(text_); }

  private:
    static std::string_view shown(bool value) { return value ? "true" : "false"; }
    static std::string shown(std::uint64_t bytes) { return fmt::format("{} bytes", bytes); }
    static std::string shown(std::int64_t ms) {
        return ms == 0 ? "never" : fmt::format("{} ms", ms);
    }
    static std::string_view shown(std::string_view text) {
        return text.empty() ? "none" : text.substr(0, kShownMetadata);
    }
    template <typename E>
    requires std::is_enum_v<E>
    static std::string_view shown(E value) { return to_string(value); }

    std::string text_;
};

}  // namespace

std::string difference(const RegionRegistry& registry, std::uint32_t slot, std::uint64_t size,
                       const RegionOptions& asked) {
    const auto& fixed = registry.fixed(slot);
    const auto& body = registry.body(slot);
    const bool durable = (body.flags & kDurable) != 0;
    Comparison out;
    out.add("size", fixed.size, size);
    out.add("access_mode", static_cast<AccessMode>(body.access_mode), asked.access_mode);
    out.add("cleanup_policy", static_cast<CleanupPolicy>(body.cleanup_policy),
            asked.cleanup_policy);
    out.add("durable", durable, asked.durable);
    if (!durable) out.add("owned_by_user", fixed.owner_serial == 0, asked.owned_by_user);
    if (asked.owner_end != OwnerEnd::automatic)
        out.add("owner_end", owner_end_of(body), asked.owner_end);
    if (asked.timeout_ms != kDefaultTimeout) out.add("timeout", body.timeout_ms, asked.timeout_ms);
    if (asked.security_level)
        out.add("security_level", static_cast<SecurityLevel>(body.security_level),
                *asked.security_level);
    if (asked.placement != Placement::automatic)
        out.add("placement", static_cast<Placement>(body.placement), asked.placement);
    if (asked.audit_access) out.add("audit_access", (body.flags & kAudited) != 0, true);
    if (asked.exact_permissions || asked.permissions != PermissionSet{}) {
        out.add("owner permission", static_cast<Permission>(body.permission_owner),
                asked.permissions.owner);
        out.add("group permission", static_cast<Permission>(body.permission_group),
                asked.permissions.group);
        out.add("other permission", static_cast<Permission>(body.permission_other),
                asked.permissions.other);
    }
    if (!asked.metadata.empty()) {
        const auto bytes = body.metadata_bytes;
        out.add("metadata",
                bytes == 0 ? std::string_view() : std::string_view(registry.metadata(slot), bytes),
                std::string_view(asked.metadata));
    }
    return out.take();
}

}  // namespace snakepit::shm
