// SPDX-License-Identifier: MIT
#include "host.h"

#include <algorithm>
#include <iostream>

#include <fmt/format.h>

#include "base/pluralize.h"
#include "base/units.h"
#include "host_output.h"
#include "json.h"
#include "origins/origin_reader.h"
#include "output.h"
#include "terminal.h"

namespace snakepit::shm::cli {

namespace {

constexpr auto kOthersByName =
    "only what is certain is removed without names: 'snakepit-shm host' lists the rest, which is "
    "removed by name\n";

struct Sum {
    std::size_t segments = 0;
    std::uint64_t bytes = 0;
    std::string str() const {
        return fmt::format("{}, {}", pluralize(segments, "segment"), format_size(bytes));
    }
};

// Of what was removed; in a dry run of what would be.
Sum sum_of(const std::vector<HostCleanItem>& items, bool dry_run) {
    Sum sum;
    for (const auto& item : items) {
        if (!(dry_run ? item.removable : item.removed)) continue;
        ++sum.segments;
        sum.bytes += item.freed;
    }
    return sum;
}

// For programs that name one segment and ask for one answer.
QJsonValue first_in_use(const std::vector<HostCleanItem>& items) {
    for (const auto& item : items)
        if (item.refusal == Refusal::in_use)
            return QJsonObject{{"type", "cleanup_failed"},
                               {"code", text(to_string(item.refusal))},
                               {"message", text(item.reason)}};
    return {};
}

int finish(const Context& context, const std::vector<HostCleanItem>& items,
           const HostCleanOptions& options) {
    const auto sum = sum_of(items, options.dry_run);
    if (context.json) {
        QJsonArray rows;
        for (const auto& item : items) rows.append(clean_item_json(item));
        print_json({{"dry_run", options.dry_run},
                    {"items", rows},
                    {"removed", json(std::uint64_t{sum.segments})},
                    {"bytes_freed", json(sum.bytes)},
                    {"error", first_in_use(items)}});
    } else {
        print(clean_items(items, options.dry_run));
        print(fmt::format("{} {}\n", options.dry_run ? "would remove" : "removed", sum.str()));
        if (items.empty()) print(kOthersByName);
    }
    return sum.segments == items.size() ? kDone : kFailed;
}

// What was shown and agreed to, and what cannot be removed anyway.
Result<std::vector<HostCleanItem>> carry_out(std::vector<HostCleanItem> rehearsed,
                                             const CleanOptions& clean,
                                             const SurveyOptions& options) {
    std::vector<HostSegment> agreed;
    for (const auto& item : rehearsed)
        if (item.removable) agreed.push_back(item.segment);
    SHM_ASSIGN(auto done, clean_segments(agreed, clean, options));
    for (auto& item : rehearsed)
        if (!item.removable) done.push_back(std::move(item));
    return done;
}

// Names as 'host' shows them, as they are. A path is taken as it is.
std::vector<std::string> real_names(std::vector<std::string> words) {
    for (auto& word : words)
        if (!word.starts_with('/')) word = unescaped(word);
    return words;
}

bool agreed(const Sum& sum) {
    print(fmt::format("Remove {}? [y/N] ", sum.str()));
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace

Result<int> run_host_clean(const Context& context, const HostCleanOptions& options) {
    auto survey = *options.survey;
    survey.quick = false;  // what waits in sockets may be needed
    const auto origins = origins::OriginReader::open();
    survey.origins = origins.get();
    const auto names = real_names(options.names);
    if (options.dry_run || options.yes) {
        SHM_ASSIGN(const auto items, clean_host(names, {options.dry_run, options.force}, survey));
        return finish(context, items, options);
    }
    if (context.json || !interactive())
        return fail(ErrorCode::invalid_argument,
                    "nothing was removed: no terminal to ask for confirmation",
                    "check with --dry-run, then use --yes");
    SHM_ASSIGN(auto items, clean_host(names, {true, options.force}, survey));
    print(clean_items(items, true));
    const auto sum = sum_of(items, true);
    if (sum.segments == 0) {
        print("nothing to remove\n");
        if (items.empty()) print(kOthersByName);
        return items.empty() ? kDone : kFailed;
    }
    if (!agreed(sum)) {
        print("nothing was removed\n");
        return kDone;
    }
    SHM_ASSIGN(const auto done, carry_out(std::move(items), {.force = options.force}, survey));
    return finish(context, done, options);
}

}  // namespace snakepit::shm::cli
