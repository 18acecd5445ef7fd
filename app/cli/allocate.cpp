// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <memory>

#include <QJsonArray>

#include "base/units.h"
#include "command.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

struct Words {
    std::string size;
    std::uint32_t count = 1;
    std::string cleanup_policy = "manual";
    std::string security_level, timeout, placement, owner, group, other, access_mode;
    std::vector<std::string> metadata;
    std::string name_prefix;
    bool durable = false, audit = false;
};

// Leaves `out` alone when the word was not given.
template <typename T, typename Parse>
Status read_word(const std::string& word, std::string_view option, std::string_view choices,
                 Parse parse, T& out) {
    if (word.empty()) return {};
    const auto value = parse(word);
    if (!value)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("--{} does not know '{}'", option, word),
                    fmt::format("choose one of {}", choices));
    out = *value;
    return {};
}

Result<std::string> metadata_of(const std::vector<std::string>& pairs) {
    QJsonObject object;
    for (const auto& pair : pairs) {
        const auto equals = pair.find('=');
        if (equals == std::string::npos || equals == 0)
            return fail(ErrorCode::invalid_argument,
                        fmt::format("--metadata '{}' is no key and value", pair),
                        "write KEY=VALUE");
        const std::string_view view(pair);
        object.insert(text(view.substr(0, equals)), text(view.substr(equals + 1)));
    }
    if (object.isEmpty()) return std::string{};
    return QJsonDocument(object).toJson(QJsonDocument::Compact).toStdString();
}

Result<RegionOptions> options_of(const Words& words) {
    RegionOptions out;
    out.owned_by_user = true;
    out.durable = words.durable;
    out.audit_access = words.audit;
    SHM_TRY(read_word(words.cleanup_policy, "cleanup-policy",
                      "automatic, manual, reference_counted", parse_cleanup_policy,
                      out.cleanup_policy));
    if (!words.security_level.empty()) {
        auto& level = out.security_level.emplace();
        SHM_TRY(read_word(words.security_level, "security-level", "standard, high, maximum",
                          parse_security_level, level));
    }
    SHM_TRY(read_word(words.placement, "placement", "pooled, dedicated", parse_placement,
                      out.placement));
    SHM_TRY(read_word(words.owner, "owner", "rw, ro", parse_permission, out.permissions.owner));
    SHM_TRY(
        read_word(words.group, "group", "rw, ro, none", parse_permission, out.permissions.group));
    SHM_TRY(
        read_word(words.other, "other", "rw, ro, none", parse_permission, out.permissions.other));
    SHM_TRY(
        read_word(words.access_mode, "access-mode", "rw, ro", parse_access_mode, out.access_mode));
    // Written out, the short form means what it says.
    out.exact_permissions = !words.owner.empty() || !words.group.empty() || !words.other.empty();
    if (!words.timeout.empty()) {
        SHM_ASSIGN(out.timeout_ms, parse_duration(words.timeout));
    }
    SHM_ASSIGN(out.metadata, metadata_of(words.metadata));
    return out;
}

// All of them or none: what was made before a failure is given back.
Result<std::vector<RegionId>> allocate_all(ManagerClient& client, std::uint64_t size,
                                           const Words& words, RegionOptions options) {
    std::vector<RegionId> ids;
    while (ids.size() < words.count) {
        if (!words.name_prefix.empty()) {
            auto pairs = words.metadata;
            pairs.push_back(fmt::format("name={}{}", words.name_prefix, ids.size() + 1));
            SHM_ASSIGN(options.metadata, metadata_of(pairs));
        }
        auto id = client.allocate(size, options);
        if (!id) {
            for (const auto& made : ids) client.deallocate(made);
            return fail(std::move(id).error());
        }
        ids.push_back(*id);
    }
    return ids;
}

Result<int> run_allocate(const Context& context, const Words& words, bool many) {
    SHM_ASSIGN(const auto size, parse_size(words.size));
    SHM_ASSIGN(const auto options, options_of(words));
    SHM_ASSIGN(auto client, connect(context, true));
    SHM_ASSIGN(const auto ids, allocate_all(*client, size, words, options));
    if (!context.json) {
        for (const auto& id : ids) print(id.str() + "\n");
        return kDone;
    }
    if (!many) {
        print_json({{"id", text(ids.front().str())}});
        return kDone;
    }
    QJsonArray out;
    for (const auto& id : ids) out.append(text(id.str()));
    print_json({{"ids", out}});
    return kDone;
}

}  // namespace

void add_allocate(CLI::App& app, Context& context) {
    auto* command = add_command(app, context, "allocate",
                                "Make regions that belong to the user, and print their ids");
    auto words = std::make_shared<Words>();
    command->add_option("size", words->size, "Bytes, or with KiB, MiB, GiB")->required();
    auto* count =
        command->add_option("--count", words->count, "How many")->check(CLI::Range(1, 1'000'000));
    command->add_option("--cleanup-policy", words->cleanup_policy,
                        "automatic, manual (default) or reference_counted");
    command->add_option("--timeout", words->timeout, "Cleaned when unused for this long; 0: never");
    command->add_option("--security-level", words->security_level,
                        "standard (default), high or maximum");
    command->add_option("--access-mode", words->access_mode,
                        "The most anybody may map it with: rw or ro");
    command->add_option("--placement", words->placement, "pooled or dedicated");
    command->add_option("--owner", words->owner, "What its user may do: rw or ro");
    command->add_option("--group", words->group, "What its group may do: rw, ro or none (default)");
    command->add_option("--other", words->other, "What others may do: rw, ro or none (default)");
    command->add_flag(
        "--durable", words->durable,
        "Keep contents and description in the state directory: they survive a reboot");
    command->add_flag("--audit", words->audit,
                      "Record each access; refuse them while that is impossible");
    command->add_option("--name-prefix", words->name_prefix,
                        "Metadata gets name=PREFIX1, PREFIX2 ...");
    command->add_option("--metadata", words->metadata, "KEY=VALUE, kept with the region as text");
    command->callback([&context, words, count] {
        const bool many = count->count() > 0;
        context.action = [&context, words, many] { return run_allocate(context, *words, many); };
    });
}

}  // namespace snakepit::shm::cli
