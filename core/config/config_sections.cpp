// SPDX-License-Identifier: MIT
#include "config/config_sections.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/json.h"
#include "base/nearest.h"
#include "base/units.h"
#include "config/config.h"

namespace snakepit::shm {

namespace {

constexpr std::size_t kFew = 8;  // that a sentence has room for

// A user or a group, by name or number.
Result<std::string> read_name(const toml::node& node, const ConfigPlace& place) {
    if (const auto* number = node.as_integer();
        number && number->get() >= 0 && number->get() < std::numeric_limits<std::uint32_t>::max())
        return std::to_string(number->get());
    return read_text(node, place);
}

// ------------------------------------------------------------------- policy
Status read_permissions(const toml::node& node, const ConfigPlace& place, PermissionSet& out) {
    SHM_ASSIGN(const auto* table, table_of(node, place));
    for (const auto& [key, value] : *table) {
        auto* const target = key == "owner"   ? &out.owner
                             : key == "group" ? &out.group
                             : key == "other" ? &out.other
                                              : nullptr;
        if (!target)
            return place.of(key).unknown("permission", key.str(), {"owner", "group", "other"});
        SHM_ASSIGN(const auto text, read_text(value, place));
        const auto permission = parse_permission(text);
        if (!permission)
            return place.of(value).wrong("expected a permission",
                                         "write \"rw\", \"ro\" or \"none\"");
        *target = *permission;
    }
    return {};
}

Status read_allow(const toml::node& node, const ConfigPlace& place, Rights& out) {
    const auto remedy = "write a list of \"read\", \"write\" and \"manage\"";
    const auto* list = node.as_array();
    if (!list) return place.of(node).wrong("expected a list", remedy);
    for (const auto& entry : *list) {
        SHM_ASSIGN(const auto text, read_text(entry, place));
        const auto right = parse_right(text);
        if (!right) return place.of(entry).wrong("expected a right", remedy);
        out.add(*right);
    }
    return {};
}

Status read_rule(const toml::node& node, const ConfigPlace& place, Policy& policy) {
    SHM_ASSIGN(const auto* table, table_of(node, place));
    PolicyRule rule;
    for (const auto& [key, value] : *table) {
        if (key == "user") {
            SHM_ASSIGN(rule.user, read_name(value, place));
        } else if (key == "group") {
            SHM_ASSIGN(rule.group, read_name(value, place));
        } else if (key == "program") {
            SHM_ASSIGN(rule.program, read_text(value, place));
        } else if (key == "allow") {
            SHM_TRY(read_allow(value, place, rule.allow));
        } else if (key == "process") {
            return place.of(key).wrong("regions to come cannot know a process",
                                       "name a program here, or set it with 'policy set'");
        } else {
            return place.of(key).unknown("condition", key.str(),
                                         {"user", "group", "program", "allow"});
        }
    }
    if (auto checked = check_rule(rule, "the rule"); !checked)
        return place.of(node).wrong(checked.error().message, checked.error().remedy);
    policy.rules.push_back(std::move(rule));
    return {};
}

Status read_policy(const toml::table& table, const ConfigPlace& place, Policy& policy) {
    for (const auto& [key, value] : table) {
        if (key == "permissions") {
            SHM_TRY(read_permissions(value, place, policy.permissions));
        } else if (key == "require_encryption") {
            SHM_TRY(read_flag(value, place, policy.require_encryption));
        } else if (key == "audit") {
            SHM_TRY(read_flag(value, place, policy.audit));
        } else if (key == "rules") {
            const auto* rules = value.as_array();
            if (!rules || rules->size() > kMaxPolicyRules)
                return place.of(value).wrong(
                    "expected a list of rules that is not too long",
                    fmt::format("write at most {} of [[shared_memory.policy.rules]]",
                                kMaxPolicyRules));
            for (const auto& rule : *rules) SHM_TRY(read_rule(rule, place, policy));
        } else {
            return place.of(key).unknown("key", key.str(),
                                         {"permissions", "require_encryption", "audit", "rules"});
        }
    }
    return {};
}

// ---------------------------------------------------------- roles and quotas
Status read_roles(const toml::table& table, const ConfigPlace& place, Roles& roles) {
    for (const auto& [key, value] : table) {
        auto* const target = key == "administrators" ? &roles.administrators
                             : key == "operators"    ? &roles.operators
                                                     : nullptr;
        if (!target)
            return place.of(key).unknown("role", key.str(), {"administrators", "operators"});
        const auto* list = value.as_array();
        if (!list)
            return place.of(value).wrong("expected a list",
                                         "write [ \"alice\", \"@staff\" ]: users, and groups "
                                         "behind an @");
        for (const auto& entry : *list) {
            SHM_ASSIGN(auto name, read_name(entry, place));
            target->push_back(std::move(name));
        }
    }
    return {};
}

Status read_quota(const toml::table& table, const ConfigPlace& place, Quota& quota) {
    for (const auto& [key, value] : table) {
        const auto* number = value.as_integer();
        if (key == "max_regions") {
            if (!number || number->get() < 0 ||
                number->get() > std::numeric_limits<std::uint32_t>::max())
                return place.of(value).wrong("expected a number of regions",
                                             "write a whole number; 0 means unlimited");
            quota.max_regions = static_cast<std::uint32_t>(number->get());
        } else if (key == "max_memory") {
            const auto* text = value.as_string();
            const auto size = text ? parse_size(text->get()) : Result<std::uint64_t>(0);
            if (!size || (!text && (!number || number->get() < 0)))
                return place.of(value).wrong("expected a size",
                                             "write bytes, or \"64MiB\"; 0 means unlimited");
            quota.max_memory = text ? *size : static_cast<std::uint64_t>(number->get());
        } else {
            return place.of(key).unknown("limit", key.str(), {"max_regions", "max_memory"});
        }
    }
    return {};
}

Status read_quotas(const toml::table& table, const ConfigPlace& place, Quotas& quotas) {
    for (const auto& [key, value] : table) {
        SHM_ASSIGN(const auto* limits, table_of(value, place));
        SHM_TRY(read_quota(*limits, place, quotas[std::string(key.str())]));
    }
    return {};
}

}  // namespace

Result<std::string> read_text(const toml::node& node, const ConfigPlace& place) {
    const auto* text = node.as_string();
    if (!text || text->get().empty())
        return place.of(node).wrong("expected a string", "write it in quotes");
    return text->get();
}

Status read_flag(const toml::node& node, const ConfigPlace& place, bool& out) {
    const auto* flag = node.as_boolean();
    if (!flag)
        return place.of(node).wrong("expected true or false",
                                    "write true or false, without quotes");
    out = flag->get();
    return {};
}

Result<const toml::table*> table_of(const toml::node& node, const ConfigPlace& place) {
    if (const auto* table = node.as_table()) return table;
    return place.of(node).wrong("expected a table", "write it as [section] or { key = value }");
}

void print_names(const std::vector<std::string>& names, std::string& out) {
    out += '[';
    for (const auto& name : names) {
        if (out.back() != '[') out += ',';
        append_json_string(out, name);
    }
    out += ']';
}

tl::unexpected<Error> ConfigPlace::wrong(std::string_view what, std::string remedy) const {
    return fail(ErrorCode::configuration_invalid,
                source.empty() ? std::string(what)
                               : fmt::format("{}:{}:{}: {}", source, at.line, at.column, what),
                std::move(remedy));
}

tl::unexpected<Error> ConfigPlace::unknown(std::string_view kind, std::string_view key,
                                           const std::vector<std::string_view>& known) const {
    const auto near = nearest(key, known);
    auto remedy = fmt::format("did you mean '{}'?", near);
    if (near.empty())
        remedy = known.size() <= kFew ? fmt::format("use one of '{}'", fmt::join(known, "', '"))
                                      : "'snakepit-shm config show' lists the known ones";
    return wrong(fmt::format("unknown {} '{}'", kind, key.substr(0, 80)), std::move(remedy));
}

bool is_section(std::string_view name) {
    return std::find(kSections.begin(), kSections.end(), name) != kSections.end();
}

Status read_section(std::string_view name, const toml::node& node, const ConfigPlace& place,
                    Config& config) {
    SHM_ASSIGN(const auto* table, table_of(node, place));
    if (name == "policy") return read_policy(*table, place, config.policy);
    if (name == "roles") return read_roles(*table, place, config.roles);
    if (name == "alerts") return read_alerts(*table, place, config);
    if (name == "telemetry") return read_telemetry(*table, place, config.telemetry);
    return read_quotas(*table, place, config.quotas);
}

void print_sections(const Config& config, std::string& out) {
    out += R"(,"policy":)" + to_json(config.policy) + R"(,"roles":{"administrators":)";
    print_names(config.roles.administrators, out);
    out += R"(,"operators":)";
    print_names(config.roles.operators, out);
    out += R"(},"quotas":{)";
    for (const auto& [name, quota] : config.quotas) {
        if (out.back() != '{') out += ',';
        append_json_string(out, name);
        out += ":{";
        if (quota.max_regions) out += fmt::format(R"("max_regions":{})", *quota.max_regions);
        if (quota.max_regions && quota.max_memory) out += ',';
        if (quota.max_memory) out += fmt::format(R"("max_memory":{})", *quota.max_memory);
        out += '}';
    }
    out += '}';
    print_alerts(config, out);
    print_telemetry(config.telemetry, out);
}

}  // namespace snakepit::shm
