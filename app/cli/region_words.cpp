// SPDX-License-Identifier: MIT
// Finds regions by the words of a command line: an id, or its beginning or end.
#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "command.h"
#include "events/event_reader.h"

namespace snakepit::shm::cli {

namespace {

constexpr std::string_view kPrefix = "shm_";
constexpr std::size_t kShortest = 4;   // digits; fewer would soon match several
constexpr std::size_t kMostNamed = 5;  // candidates in an error
constexpr int kMostRecorded =
    200'000;  // allocations of the event database that are searched, the newest

struct Word {
    std::optional<RegionId> id;  // the whole of it was given
    std::string part;            // else its beginning or end
};

Result<Word> parse_word(const std::string& word) {
    if (const auto id = RegionId::parse(word)) return Word{*id, {}};
    std::string_view part = word;
    for (const std::string_view mark : {"…", "..."})
        if (part.starts_with(mark)) part.remove_prefix(mark.size());
    const auto digits = part.starts_with(kPrefix) ? part.substr(kPrefix.size()) : part;
    const bool plausible = digits.size() >= kShortest && part.size() < kPrefix.size() + 33 &&
                           digits.find_first_not_of("0123456789abcdef_") == digits.npos;
    if (!plausible) return fail(RegionId::parse(word).error());
    return Word{{}, std::string(part)};
}

bool matches(const std::string& id, const std::string& part) {
    return id.starts_with(part) || id.ends_with(part) ||
           std::string_view(id).substr(kPrefix.size()).starts_with(part);
}

Result<RegionId> only_one(const std::set<std::string>& ids, const std::string& part) {
    if (ids.size() == 1) return RegionId::parse(*ids.begin());
    if (ids.empty())
        return fail(ErrorCode::region_not_found,
                    fmt::format("no region's id begins or ends with '{}'", part),
                    "'snakepit-shm list' shows the regions");
    const std::vector<std::string> named(
        ids.begin(),
        std::next(ids.begin(), static_cast<std::ptrdiff_t>(std::min(ids.size(), kMostNamed))));
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' is ambiguous, {} regions match: {}{}", part, ids.size(),
                            fmt::join(named, ", "), ids.size() > kMostNamed ? " …" : ""),
                "give more of the id");
}

Result<RegionId> find(ManagerClient& client, const Word& word) {
    if (word.id) return *word.id;
    SHM_ASSIGN(const auto regions, client.list("id:" + word.part));
    std::set<std::string> ids;
    for (const auto& region : regions)
        if (auto id = region.id.str(); matches(id, word.part)) ids.insert(std::move(id));
    return only_one(ids, word.part);
}

}  // namespace

Result<ConnectedTo> connect_to(const Context& context, const std::vector<std::string>& words,
                               bool lease) {
    std::vector<Word> parsed;
    for (const auto& word : words) {
        SHM_ASSIGN(auto one, parse_word(word));
        parsed.push_back(std::move(one));
    }
    ConnectedTo out;
    SHM_ASSIGN(out.client, connect(context, lease));
    for (const auto& word : parsed) {
        SHM_ASSIGN(const auto id, find(*out.client, word));
        out.ids.push_back(id);
    }
    return out;
}

Result<RegionId> find_recorded_region(const std::string& events_db, const std::string& word) {
    SHM_ASSIGN(const auto parsed, parse_word(word));
    if (parsed.id) return *parsed.id;
    SHM_ASSIGN(auto reader, EventReader::open(events_db));
    EventQuery query;
    query.kind = EventKind::allocated;
    query.newest_first = true;
    query.limit = kMostRecorded;
    SHM_ASSIGN(const auto rows, reader.query(query));
    std::set<std::string> ids;
    for (const auto& row : rows)
        if (matches(row.region_id, parsed.part)) ids.insert(row.region_id);
    return only_one(ids, parsed.part);
}

}  // namespace snakepit::shm::cli
