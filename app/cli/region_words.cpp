// SPDX-License-Identifier: MIT
// Finds regions by the words of a command line: an id, a name, or the beginning or end of an id.
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/region_name.h"
#include "command.h"
#include "events/event_reader.h"
#include "json.h"
#include "security/name_resolver.h"

namespace snakepit::shm::cli {

namespace {

constexpr std::string_view kPrefix = "shm_";
constexpr std::size_t kShortest = 4;   // digits; fewer would soon match several
constexpr std::size_t kMostNamed = 5;  // candidates in an error
constexpr int kMostRecorded =
    200'000;  // allocations of the event database that are searched, the newest

struct Word {
    std::optional<RegionId> id;  // the whole of it was given
    std::string part;            // else its beginning or end; empty: it cannot be that
    std::optional<RegionName> name;
};

Result<Word> parse_word(const std::string& word) {
    if (const auto id = RegionId::parse(word)) return Word{*id, {}, {}};
    Word out;
    const auto name = RegionName::parse(word);
    if (name) out.name = *name;
    std::string_view part = word;
    for (const std::string_view mark : {"…", "..."})
        if (part.starts_with(mark)) part.remove_prefix(mark.size());
    const auto digits = part.starts_with(kPrefix) ? part.substr(kPrefix.size()) : part;
    const bool plausible = digits.size() >= kShortest && part.size() < kPrefix.size() + 33 &&
                           digits.find_first_not_of("0123456789abcdef_") == digits.npos;
    if (plausible) out.part = part;
    if (!plausible && !name) return fail(name.error());
    return out;
}

bool matches(const std::string& id, const std::string& part) {
    return id.starts_with(part) || id.ends_with(part) ||
           std::string_view(id).substr(kPrefix.size()).starts_with(part);
}

// Of an `allocated` event. A name that was cut there stands for those that begin like it.
bool has_name(const std::string& detail, const std::string& name) {
    if (detail.find("\"name\"") == std::string::npos) return false;
    const auto object = parse_object(detail).value_or(QJsonObject{});
    const auto recorded = object.value("name").toString().toStdString();
    constexpr std::string_view kCut = "…";
    return recorded == name ||
           (recorded.ends_with(kCut) && name.size() > recorded.size() - kCut.size() &&
            name.starts_with(recorded.substr(0, recorded.size() - kCut.size())));
}

Result<RegionId> only_one(const std::set<std::string>& ids, const std::string& part) {
    if (ids.size() == 1) return RegionId::parse(*ids.begin());
    if (ids.empty())
        return fail(ErrorCode::region_not_found,
                    fmt::format("no region has the name '{0}', and no region's id begins or ends "
                                "with '{0}'",
                                part),
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
    if (word.name) {
        auto named = client.resolve(word.name->str());
        const bool none = !named && named.error().code == ErrorCode::region_not_found;
        if (!none || word.part.empty()) return named;
    }
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
    std::optional<std::uint32_t> uid;
    if (parsed.name)
        uid =
            parsed.name->user.empty() ? ::geteuid() : SystemNameResolver().user(parsed.name->user);
    SHM_ASSIGN(auto reader, EventReader::open(events_db));
    EventQuery query;
    query.kind = EventKind::allocated;
    query.newest_first = true;
    query.limit = kMostRecorded;
    SHM_ASSIGN(const auto rows, reader.query(query));
    for (const auto& row : rows)
        if (uid && row.uid == *uid && has_name(row.detail, parsed.name->name))
            return RegionId::parse(row.region_id);
    std::set<std::string> ids;
    for (const auto& row : rows)
        if (!parsed.part.empty() && matches(row.region_id, parsed.part)) ids.insert(row.region_id);
    return only_one(ids, parsed.part.empty() ? word : parsed.part);
}

}  // namespace snakepit::shm::cli
