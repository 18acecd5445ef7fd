// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <optional>

#include <QJsonArray>

#include "base/region_name.h"
#include "base/units.h"
#include "command.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

struct AllocateOptions {
    std::string size, timeout, name, name_prefix;
    std::optional<std::uint32_t> count;
    std::optional<CleanupPolicy> cleanup_policy;
    std::optional<OwnerEnd> owner_end;
    std::optional<SecurityLevel> security_level;
    std::optional<Placement> placement;
    std::optional<Permission> owner, group, other;
    std::optional<AccessMode> access_mode;
    std::vector<std::string> metadata;
    bool durable = false, audit = false;
};

Result<std::string> metadata_of(const std::vector<std::string>& pairs) {
    QJsonObject object;
    for (const auto& pair : pairs) {
        const auto equals = pair.find('=');
        if (equals == std::string::npos || equals == 0)
            return fail(ErrorCode::invalid_argument,
                        fmt::format("--metadata: expected KEY=VALUE, not '{}'", pair),
                        "write a name, an equals sign and a text, such as --metadata model=resnet");
        const std::string_view view(pair);
        object.insert(text(view.substr(0, equals)), text(view.substr(equals + 1)));
    }
    if (object.isEmpty()) return std::string{};
    return QJsonDocument(object).toJson(QJsonDocument::Compact).toStdString();
}

Result<RegionOptions> region_options(const AllocateOptions& options) {
    RegionOptions out;
    if (!options.name.empty()) SHM_TRY(check_region_name(options.name));
    out.name = options.name;
    out.owned_by_user = true;
    out.durable = options.durable;
    out.audit_access = options.audit;
    out.cleanup_policy = options.cleanup_policy.value_or(CleanupPolicy::manual);
    out.owner_end = options.owner_end.value_or(out.owner_end);
    out.security_level = options.security_level;
    out.placement = options.placement.value_or(out.placement);
    out.access_mode = options.access_mode.value_or(out.access_mode);
    out.permissions.owner = options.owner.value_or(out.permissions.owner);
    out.permissions.group = options.group.value_or(out.permissions.group);
    out.permissions.other = options.other.value_or(out.permissions.other);
    // Permissions that were given hold as they are, not as the configuration's default policy.
    out.exact_permissions = options.owner || options.group || options.other;
    if (!options.timeout.empty()) {
        SHM_ASSIGN(out.timeout_ms, parse_duration(options.timeout));
    }
    SHM_ASSIGN(out.metadata, metadata_of(options.metadata));
    return out;
}

// All of them or none: after a failure those that were allocated are deallocated.
Result<std::vector<RegionId>> allocate_all(ManagerClient& client, std::uint64_t size,
                                           const AllocateOptions& options, RegionOptions region) {
    std::vector<RegionId> ids;
    while (ids.size() < options.count.value_or(1)) {
        if (!options.name_prefix.empty()) {
            auto pairs = options.metadata;
            pairs.push_back(fmt::format("name={}{}", options.name_prefix, ids.size() + 1));
            SHM_ASSIGN(region.metadata, metadata_of(pairs));
        }
        auto id = client.allocate(size, region);
        if (!id) {
            for (const auto& made : ids) client.deallocate(made);
            return fail(std::move(id).error());
        }
        ids.push_back(*id);
    }
    return ids;
}

Result<int> run_allocate(const Context& context, const AllocateOptions& options) {
    SHM_ASSIGN(const auto size, parse_size(options.size));
    if (!options.name.empty() && options.count.value_or(1) > 1)
        return fail(ErrorCode::invalid_argument,
                    "--name names one region, and --count asks for more",
                    "allocate them one by one, each with a name of its own");
    SHM_ASSIGN(const auto region, region_options(options));
    SHM_ASSIGN(auto client, connect(context, true));
    SHM_ASSIGN(const auto ids, allocate_all(*client, size, options, region));
    if (!context.json) {
        for (const auto& id : ids) print(id.str() + "\n");
        return kDone;
    }
    if (!options.count) {
        print_json({{"id", text(ids.front().str())}});
        return kDone;
    }
    QJsonArray out;
    for (const auto& id : ids) out.append(text(id.str()));
    print_json({{"ids", out}});
    return kDone;
}

}  // namespace

void add_allocate(Command& app) {
    auto& command =
        app.add("allocate", "Allocate regions that belong to the user, and print their ids");
    auto& options = command.options<AllocateOptions>();
    command.argument("SIZE", options.size, "Bytes, or a number with KiB, MiB or GiB").required();
    command.option("--count", "N", options.count, "Allocate N regions, or none (default: 1)")
        .range(1, 1'000'000);
    command.option("--cleanup-policy", "POLICY", options.cleanup_policy, parse_cleanup_policy,
                   {"automatic", "manual", "reference_counted"},
                   "When it is freed: automatic, manual (default) or reference_counted");
    command.option(
        "--owner-end", "WHAT", options.owner_end, parse_owner_end, {"keep", "grace", "withdraw"},
        "Effect of the end of a process that owns the region: keep, grace or withdraw; stored, "
        "and without effect here, where the user owns it");
    command.option("--timeout", "TIME", options.timeout,
                   "Free it when unused for this long, such as 10m; 0: never");
    command.option("--security-level", "LEVEL", options.security_level, parse_security_level,
                   {"standard", "high", "maximum"},
                   "standard, high or maximum (default: the configuration's)");
    command.option("--access-mode", "MODE", options.access_mode, parse_access_mode, {"rw", "ro"},
                   "The most that any program may map it with: rw (default) or ro");
    command.option("--placement", "PLACE", options.placement, parse_placement,
                   {"pooled", "dedicated"},
                   "In an arena (pooled) or in a segment of its own (dedicated)");
    command.option("--owner", "ACCESS", options.owner, parse_permission, {"rw", "ro"},
                   "Access of its user: rw or ro");
    command.option("--group", "ACCESS", options.group, parse_permission, {"rw", "ro", "none"},
                   "Access of its group: rw, ro or none");
    command.option("--other", "ACCESS", options.other, parse_permission, {"rw", "ro", "none"},
                   "Access of other users: rw, ro or none");
    command.flag(
        "--durable", options.durable,
        "Keep contents and description in the state directory, not encrypted, so that they survive "
        "a reboot");
    command.flag("--audit", options.audit,
                 "Record each access; refuse access while that is impossible");
    command.option("--name", "NAME", options.name,
                   "Name it; commands and programs find it by this name, which no other region of "
                   "the user has");
    command.option("--name-prefix", "PREFIX", options.name_prefix,
                   "Add name=PREFIX1, PREFIX2 ... to the metadata");
    command.option("--metadata", "KEY=VALUE", options.metadata,
                   "Keep this text with the region; can be repeated");
    command.run(run_allocate, options);
}

}  // namespace snakepit::shm::cli
