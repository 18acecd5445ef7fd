// SPDX-License-Identifier: MIT
#include "base/policy.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/json.h"
#include "base/pluralize.h"

namespace snakepit::shm {

namespace {

constexpr std::array<Right, 3> kRights{Right::read, Right::write, Right::manage};
constexpr std::size_t kLongestName = 64;
constexpr std::size_t kLongestPath = 1024;

bool same_conditions(const PolicyRule& a, const PolicyRule& b) {
    return a.user == b.user && a.group == b.group && a.program == b.program &&
           a.process == b.process && a.process_start == b.process_start;
}

void append_rule(std::string& out, const PolicyRule& rule) {
    out += '{';
    const auto text = [&](std::string_view key, const std::string& value) {
        if (value.empty()) return;
        append_json_string(out, key);
        out += ':';
        append_json_string(out, value);
        out += ',';
    };
    text("user", rule.user);
    text("group", rule.group);
    text("program", rule.program);
    if (rule.process != 0) out += fmt::format(R"("process":{},)", rule.process);
    if (rule.process_start != 0) out += fmt::format(R"("process_start":{},)", rule.process_start);
    out += R"("allow":[)";
    bool first = true;
    for (const auto right : kRights) {
        // Write includes read.
        if (!rule.allow.has(right)) continue;
        if (!first) out += ',';
        append_json_string(out, to_string(right));
        first = false;
    }
    out += "]}";
}

}  // namespace

std::string_view to_string(Right value) {
    switch (value) {
        case Right::write:
            return "write";
        case Right::manage:
            return "manage";
        default:
            return "read";
    }
}

std::optional<Right> parse_right(std::string_view text) {
    for (const auto right : kRights)
        if (to_string(right) == text) return right;
    return std::nullopt;
}

bool allows_as_much(const Policy& now, const Policy& before) {
    if (now.permissions.owner < before.permissions.owner ||
        now.permissions.group < before.permissions.group ||
        now.permissions.other < before.permissions.other)
        return false;
    return std::all_of(before.rules.begin(), before.rules.end(), [&](const PolicyRule& old) {
        return std::any_of(now.rules.begin(), now.rules.end(), [&](const PolicyRule& rule) {
            return same_conditions(rule, old) && rule.allow.covers(old.allow);
        });
    });
}

std::string to_json(const Policy& policy) {
    auto out =
        fmt::format(R"({{"permissions":{{"owner":"{}","group":"{}","other":"{}"}},"rules":[)",
                    to_string(policy.permissions.owner), to_string(policy.permissions.group),
                    to_string(policy.permissions.other));
    for (const auto& rule : policy.rules) {
        if (&rule != &policy.rules.front()) out += ',';
        append_rule(out, rule);
    }
    return out + fmt::format(R"(],"require_encryption":{},"audit":{}}})", policy.require_encryption,
                             policy.audit);
}

std::string summary(const Policy& policy) {
    auto out =
        fmt::format("{}/{}/{}", to_string(policy.permissions.owner),
                    to_string(policy.permissions.group), to_string(policy.permissions.other));
    if (!policy.rules.empty()) out += ", " + pluralize(policy.rules.size(), "rule");
    if (policy.require_encryption) out += ", encrypted";
    if (policy.audit) out += ", audited";
    return out;
}

Status check_rule(const PolicyRule& rule, std::string_view where) {
    const auto wrong = [&](std::string_view what, std::string remedy) {
        return fail(ErrorCode::policy_invalid, fmt::format("{}: {}", where, what),
                    std::move(remedy));
    };
    if (rule.allow.empty())
        return wrong("the rule allows nothing", R"(add "allow": ["read"], "write" or "manage")");
    if (rule.user.size() > kLongestName || rule.group.size() > kLongestName)
        return wrong("the name of a user or group is too long",
                     fmt::format("names have at most {} bytes", kLongestName));
    if (!rule.program.empty() &&
        (rule.program.front() != '/' || rule.program.size() > kLongestPath ||
         rule.program.find('\0') != std::string::npos))
        return wrong(fmt::format("'{}' is not an absolute path", rule.program.substr(0, 80)),
                     "write the full path, such as /usr/bin/reader");
    if (rule.process < 0)
        return wrong("the process id is negative", "give the id of a running process");
    return {};
}

}  // namespace snakepit::shm
