// SPDX-License-Identifier: MIT
#include "events/region_comparison.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/pluralize.h"
#include "base/units.h"

namespace snakepit::shm {

namespace {

// Any sizes: a bundle is not trusted.
std::int64_t difference(std::uint64_t before, std::uint64_t after) {
    return static_cast<std::int64_t>(after - before);
}

// References of each process, which may be several holders. Nothing where only some are named.
using Holders = std::map<std::int64_t, std::uint64_t>;
std::optional<Holders> holders_of(const RegionInfo& info) {
    Holders out;
    std::uint64_t named = 0;
    for (const auto& holder : info.references) {
        if (holder.count == 0) continue;
        out[holder.pid] += holder.count;
        ++named;
    }
    return named == info.holder_count ? std::optional(std::move(out)) : std::nullopt;
}

bool holders_differ(const RegionInfo& a, const RegionInfo& b) {
    if (a.reference_count != b.reference_count || a.holder_count != b.holder_count) return true;
    const auto before = holders_of(a), after = holders_of(b);
    return before && after && *before != *after;
}

// What a policy permits is not in the events, only that there is one.
bool policies_differ(const RegionRow& before, const RegionRow& after) {
    const auto &a = before.info, &b = after.info;
    const bool comparable =
        (!a.has_policy && !b.has_policy) || (before.unknown | after.unknown) == 0;
    return a.has_policy != b.has_policy || (comparable && !(a.permissions == b.permissions)) ||
           a.cleanup_policy != b.cleanup_policy || a.owner_end != b.owner_end ||
           a.security_level != b.security_level || a.access_mode != b.access_mode;
}

struct Part {
    RegionAspect aspect;
    std::uint32_t needs;  // RowPart bits
    bool (*differs)(const RegionRow& before, const RegionRow& after);
};

constexpr std::array kParts{
    Part{kAspectSize, kPartSize,
         [](const RegionRow& a, const RegionRow& b) { return a.info.size != b.info.size; }},
    Part{kAspectOwner, kPartOwner,
         [](const RegionRow& a, const RegionRow& b) {
             const auto &one = a.info, &other = b.info;
             return one.owner_pid != other.owner_pid || one.owner_uid != other.owner_uid ||
                    one.owner_process != other.owner_process || one.worker != other.worker;
         }},
    Part{kAspectState, kPartState,
         [](const RegionRow& a, const RegionRow& b) {
             const auto &one = a.info, &other = b.info;
             return one.state != other.state || one.sealed != other.sealed ||
                    one.inconsistent != other.inconsistent;
         }},
    Part{kAspectPolicy, kPartOptions | kPartState, policies_differ},
    Part{kAspectHolders, kPartReferences,
         [](const RegionRow& a, const RegionRow& b) { return holders_differ(a.info, b.info); }},
};

RegionDifference differing(const RegionRow& before, const RegionRow& after) {
    RegionDifference out{RegionDifferenceKind::changed, before, after, 0, 0};
    for (const auto& part : kParts) {
        if (((before.unknown | after.unknown) & part.needs) != 0)
            out.unknown |= part.aspect;
        else if (part.differs(before, after))
            out.aspects |= part.aspect;
    }
    return out;
}

void tell(const RegionRow& from, RegionRow& to) {
    const auto told = to.unknown & ~from.unknown & (kPartSize | kPartOwner);
    if ((told & kPartSize) != 0) to.info.size = from.info.size;
    if ((told & kPartOwner) != 0) {
        to.info.owner_pid = from.info.owner_pid;
        to.info.owner_uid = from.info.owner_uid;
        to.info.owner_process = from.info.owner_process;
        to.info.worker = from.info.worker;
    }
    to.unknown &= ~told;
}

// A name belongs to one region of its user at a time.
std::string name_key(const RegionInfo& info) {
    return info.name.empty() ? std::string() : fmt::format("{}/{}", info.owner_uid, info.name);
}

std::string name_of(const RegionInfo& info, ComparedBy by) {
    switch (by) {
        case ComparedBy::program:
            return info.owner_process;
        case ComparedBy::worker:
            return info.worker;
        case ComparedBy::user:
            break;
    }
    return fmt::format("{}", info.owner_uid);
}

std::uint64_t largest(const RegionDifference& one) {
    return std::max(one.before ? one.before->info.size : 0, one.after ? one.after->info.size : 0);
}

void add_side(ComparedTotal& total, const RegionRow& row, bool after) {
    const auto size = (row.unknown & kPartSize) != 0 ? 0 : row.info.size;
    ++(after ? total.regions_after : total.regions_before);
    (after ? total.bytes_after : total.bytes_before) += size;
}

void add_difference(ComparedTotal& total, const RegionDifference& one) {
    const bool both = one.kind == RegionDifferenceKind::replaced;
    total.gone += both || one.kind == RegionDifferenceKind::gone ? 1 : 0;
    total.added += both || one.kind == RegionDifferenceKind::added ? 1 : 0;
}

std::string holders_text(const RegionInfo& info) {
    std::vector<std::string> names;
    for (const auto& holder : info.references)
        if (holder.count > 0) names.push_back(fmt::format("{} ({})", holder.process, holder.pid));
    const auto count = pluralize(info.reference_count, "reference");
    return names.empty() ? count : fmt::format("{} ({})", count, fmt::join(names, ", "));
}

std::string aspect_text(RegionAspect aspect, const RegionInfo& info) {
    switch (aspect) {
        case kAspectSize:
            return format_size(info.size);
        case kAspectOwner:
            return fmt::format("{} ({}) of user {}", info.owner_process, info.owner_pid,
                               info.owner_uid);
        case kAspectState:
            return fmt::format("{}{}{}", to_string(info.state), info.sealed ? ", sealed" : "",
                               info.inconsistent ? ", inconsistent" : "");
        case kAspectPolicy:
            return fmt::format("{}, {}, {}/{}/{}{}", to_string(info.cleanup_policy),
                               to_string(info.security_level), to_string(info.permissions.owner),
                               to_string(info.permissions.group), to_string(info.permissions.other),
                               info.has_policy ? ", with a policy" : "");
        case kAspectHolders:
            break;
    }
    return holders_text(info);
}

}  // namespace

std::string_view to_string(RegionDifferenceKind kind) {
    switch (kind) {
        case RegionDifferenceKind::gone:
            return "gone";
        case RegionDifferenceKind::added:
            return "added";
        case RegionDifferenceKind::replaced:
            return "replaced";
        case RegionDifferenceKind::changed:
            break;
    }
    return "changed";
}

std::string_view to_string(RegionAspect aspect) {
    switch (aspect) {
        case kAspectSize:
            return "size";
        case kAspectOwner:
            return "owner";
        case kAspectState:
            return "state";
        case kAspectPolicy:
            return "policy";
        case kAspectHolders:
            break;
    }
    return "holders";
}

std::string_view to_string(ComparedBy by) {
    switch (by) {
        case ComparedBy::program:
            return "program";
        case ComparedBy::worker:
            return "worker";
        case ComparedBy::user:
            break;
    }
    return "user";
}

std::string describe(const RegionDifference& one) {
    std::vector<std::string> out;
    for (const auto aspect : kRegionAspects) {
        if ((one.aspects & aspect) != 0)
            out.push_back(fmt::format("{}: {} → {}", to_string(aspect),
                                      aspect_text(aspect, one.before->info),
                                      aspect_text(aspect, one.after->info)));
        else if ((one.unknown & aspect) != 0)
            out.push_back(fmt::format("{}: unknown", to_string(aspect)));
    }
    return fmt::format("{}", fmt::join(out, "; "));
}

std::int64_t RegionDifference::growth() const {
    return difference(before ? before->info.size : 0, after ? after->info.size : 0);
}

std::int64_t ComparedTotal::growth() const {
    return difference(bytes_before, bytes_after);
}

std::uint64_t RegionComparison::count(RegionDifferenceKind kind) const {
    return static_cast<std::uint64_t>(
        std::count_if(differences.begin(), differences.end(),
                      [kind](const RegionDifference& one) { return one.kind == kind; }));
}

std::vector<ComparedTotal> RegionComparison::by(ComparedBy what) const {
    std::map<std::string, ComparedTotal> totals;
    const auto total_of = [&](const RegionRow& row) -> ComparedTotal* {
        auto name = (row.unknown & kPartOwner) != 0 ? std::string() : name_of(row.info, what);
        return name.empty() ? nullptr : &totals[std::move(name)];
    };
    for (const auto& row : before)
        if (auto* its = total_of(row)) add_side(*its, row, false);
    for (const auto& row : after)
        if (auto* its = total_of(row)) add_side(*its, row, true);
    for (const auto& one : differences) {
        // A replaced region may have another owner than the one that replaced it.
        const bool gone =
            one.kind == RegionDifferenceKind::gone || one.kind == RegionDifferenceKind::replaced;
        const bool added =
            one.kind == RegionDifferenceKind::added || one.kind == RegionDifferenceKind::replaced;
        if (auto* its = gone ? total_of(*one.before) : nullptr) ++its->gone;
        if (auto* its = added ? total_of(*one.after) : nullptr) ++its->added;
    }
    std::vector<ComparedTotal> out;
    for (auto& [name, its] : totals) {
        its.name = name;
        out.push_back(std::move(its));
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const auto& a, const auto& b) { return a.growth() > b.growth(); });
    return out;
}

std::vector<RegionRow> rows_of(const std::vector<RegionInfo>& regions) {
    std::vector<RegionRow> out(regions.size());
    for (std::size_t i = 0; i < regions.size(); ++i) {
        out[i].info = regions[i];
        out[i].holders = static_cast<std::uint32_t>(regions[i].holder_count);
    }
    return out;
}

std::vector<RegionRow> rows_of(const PastState& state, const std::vector<RegionInfo>* present) {
    std::unordered_map<RegionId, const RegionInfo*> exist;
    if (present)
        for (const auto& info : *present) exist.emplace(info.id, &info);
    std::vector<RegionRow> out;
    out.reserve(state.regions.size());
    for (const auto& region : state.regions) {
        const auto found = exist.find(region->id);
        out.push_back(as_row(*region, found == exist.end() ? nullptr : found->second));
    }
    return out;
}

RegionComparison compare_regions(std::vector<RegionRow> before, std::vector<RegionRow> after) {
    RegionComparison out;
    std::unordered_map<RegionId, RegionRow*> then;
    std::unordered_map<std::string, const RegionRow*> named;  // those that are gone
    for (auto& row : before) then.emplace(row.info.id, &row);
    std::unordered_set<RegionId> now;
    for (auto& row : after) {
        now.insert(row.info.id);
        const auto earlier = then.find(row.info.id);
        if (earlier == then.end()) continue;
        tell(*earlier->second, row);
        tell(row, *earlier->second);
    }
    for (const auto& row : before)
        if (auto key = name_key(row.info); !key.empty() && !now.contains(row.info.id))
            named.emplace(std::move(key), &row);
    std::unordered_set<RegionId> replaced;
    for (const auto& row : after) {
        if (const auto found = then.find(row.info.id); found != then.end()) {
            auto one = differing(*found->second, row);
            if (one.aspects == 0)
                ++out.same;
            else
                out.differences.push_back(std::move(one));
            continue;
        }
        const auto earlier = named.find(name_key(row.info));
        if (earlier == named.end()) {
            out.differences.push_back({RegionDifferenceKind::added, std::nullopt, row, 0, 0});
            continue;
        }
        auto one = differing(*earlier->second, row);
        one.kind = RegionDifferenceKind::replaced;
        replaced.insert(earlier->second->info.id);
        out.differences.push_back(std::move(one));
        named.erase(earlier);
    }
    for (const auto& row : before)
        if (!now.contains(row.info.id) && !replaced.contains(row.info.id))
            out.differences.push_back({RegionDifferenceKind::gone, row, std::nullopt, 0, 0});
    std::stable_sort(out.differences.begin(), out.differences.end(),
                     [](const auto& a, const auto& b) {
                         return std::pair(a.kind, largest(b)) < std::pair(b.kind, largest(a));
                     });
    for (const auto& row : before) add_side(out.total, row, false);
    for (const auto& row : after) add_side(out.total, row, true);
    for (const auto& one : out.differences) add_difference(out.total, one);
    out.before = std::move(before);
    out.after = std::move(after);
    return out;
}

}  // namespace snakepit::shm
