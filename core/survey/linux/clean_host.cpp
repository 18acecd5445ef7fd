// SPDX-License-Identifier: MIT
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "survey/linux/remove_segment.h"
#include "survey/linux/scan.h"

namespace snakepit::shm {

namespace {

using namespace survey;

constexpr std::size_t kMostNamed = 3;  // users in one sentence

std::string users_of(const HostSegment& segment) {
    std::vector<std::string> some;
    for (const auto& user : segment.users) {
        if (some.size() == kMostNamed) break;
        some.push_back(fmt::format("{} ({})", user.pid, user.process));
    }
    if (some.empty()) return "processes that cannot be seen";
    const auto more = segment.users.size() - some.size();
    return fmt::format("process {}{}", fmt::join(some, ", "),
                       more > 0 ? fmt::format(" and {} more", more) : "");
}

// Why it stays, whoever asks; empty: nothing is against it so far.
std::string objection(const HostSegment& segment) {
    switch (segment.verdict) {
        case SegmentVerdict::in_use:
            if (segment.kind == SegmentKind::memfd || segment.unlinked)
                return fmt::format("it has no name to remove; it goes when {} ends",
                                   users_of(segment));
            return fmt::format(
                "{} is used by {}",
                segment.program.empty() ? "it" : "it is " + segment.program + "'s, and",
                users_of(segment));
        case SegmentVerdict::ours:
            // No living manager's, as far as its mark says: who names it may remove it.
            if (segment.confidence < kCertain) break;
            return "an instance of Snakepit SHM looks after it: use snakepit-shm cleanup, or start "
                   "snakepit-shm serve for that instance";
        case SegmentVerdict::kept:
            return fmt::format("{} keeps it: stop that program first", segment.program);
        default:
            break;
    }
    if (::geteuid() != 0 && segment.uid != ::geteuid())
        return fmt::format("it belongs to {}: only that user or an administrator may remove it",
                           segment.user);
    return {};
}

std::string grounds(const HostSegment& segment) {
    return fmt::format(
        "{} ({} %): {}",
        segment.verdict == SegmentVerdict::left_over ? "left over" : "nobody uses it",
        segment.confidence, fmt::join(segment.evidence, "; "));
}

// "/name" and "/dev/shm/name" mean what "name" does.
std::string_view plain(std::string_view word, std::string_view shm_path) {
    if (word.starts_with(shm_path)) word.remove_prefix(shm_path.size());
    word.remove_prefix(std::min(word.find_first_not_of('/'), word.size()));
    return word;
}

class Cleaning {
  public:
    Cleaning(const Scan& scan, const SurveyOptions& options, bool dry_run)
        : scan_(scan), options_(options), rehearsal_(dry_run ? Rehearsal::yes : Rehearsal::no) {}

    HostCleanItem clean(HostSegment segment) const {
        HostCleanItem item{.segment = std::move(segment)};
        item.reason = objection(item.segment);
        if (!item.reason.empty()) return item;
        if (const auto done = remove(item.segment); !done) {
            item.reason = done.error().sentence();
            return item;
        }
        item.removable = true;
        // The kernel said what some processes would not.
        item.segment.confidence = item.segment.confidence_if_unused;
        item.removed = rehearsal_ == Rehearsal::no;
        item.reason = grounds(item.segment);
        return item;
    }

  private:
    Status remove(const HostSegment& segment) const {
        const auto here = [&](const auto& place) { return place.name_space == segment.name_space; };
        if (segment.kind == SegmentKind::system_v) {
            const auto& tables = scan_.places().tables;
            return remove_system_v(segment, *std::find_if(tables.begin(), tables.end(), here),
                                   rehearsal_);
        }
        const auto& files = scan_.places().files;
        return remove_file(segment, *std::find_if(files.begin(), files.end(), here), rehearsal_,
                           [&] { return look_again(segment); });
    }

    Status look_again(const HostSegment& segment) const {
        auto thorough = options_;
        thorough.every_mapping = true;
        SHM_ASSIGN(const auto now, survey_host(thorough));
        for (const auto& other : now.segments) {
            if (other.kind != SegmentKind::posix || other.device != segment.device ||
                other.inode != segment.inode)
                continue;
            if (!other.users.empty())
                return fail(ErrorCode::region_in_use, users_of(other) + " uses it now");
            if (now.unreadable == 0 && other.users_complete) return {};
            return fail(ErrorCode::permission_denied,
                        "some processes may not be looked at, and one of them may use it",
                        "ask an administrator to remove it");
        }
        return fail(ErrorCode::region_not_found, "it went meanwhile");
    }

    const Scan& scan_;
    const SurveyOptions& options_;
    Rehearsal rehearsal_;
};

bool goes_by_itself(const HostSegment& segment) {
    return segment.verdict == SegmentVerdict::left_over &&
           segment.confidence_if_unused >= kCertain && segment.name_space == 0;
}

bool same(const HostSegment& left, const HostSegment& right) {
    return left.name == right.name && left.device == right.device && left.inode == right.inode &&
           left.key == right.key && left.created == right.created;
}

HostCleanItem stays(HostSegment segment, std::string reason) {
    return {.segment = std::move(segment), .reason = std::move(reason)};
}

}  // namespace

Result<std::vector<HostCleanItem>> clean_segments(const std::vector<HostSegment>& segments,
                                                  const SurveyOptions& options) {
    SHM_ASSIGN(auto scan, Scan::run(options));
    const auto found = scan.survey().segments;
    const Cleaning cleaning(scan, options, false);
    std::vector<HostCleanItem> out;
    for (const auto& wanted : segments) {
        const auto now = std::find_if(found.begin(), found.end(),
                                      [&](const auto& segment) { return same(segment, wanted); });
        if (now == found.end())
            out.push_back(stays(wanted, "it went meanwhile, or another has its name by now"));
        else if (wanted.verdict == SegmentVerdict::left_over &&
                 now->verdict == SegmentVerdict::unknown)
            out.push_back(stays(*now, "it is no longer certain that it was left over"));
        else
            out.push_back(cleaning.clean(*now));
    }
    return out;
}

Result<std::vector<HostCleanItem>> clean_host(const std::vector<std::string>& names, bool dry_run,
                                              const SurveyOptions& options) {
    SHM_ASSIGN(auto scan, Scan::run(options));
    auto found = scan.survey();
    const Cleaning cleaning(scan, options, dry_run);
    std::vector<HostCleanItem> out;
    if (names.empty()) {
        for (auto& segment : found.segments)
            if (goes_by_itself(segment)) out.push_back(cleaning.clean(std::move(segment)));
        return out;
    }
    for (const auto& word : names) {
        const auto named = std::find_if(
            found.segments.begin(), found.segments.end(), [&](const HostSegment& segment) {
                return segment.name == word || segment.name == plain(word, options.shm_path);
            });
        if (named == found.segments.end()) {
            HostCleanItem item{.reason =
                                   "there is no segment of that name (see snakepit-shm host)"};
            item.segment.name = item.segment.label = word;
            out.push_back(std::move(item));
        } else {
            out.push_back(cleaning.clean(*named));
        }
    }
    return out;
}

}  // namespace snakepit::shm
