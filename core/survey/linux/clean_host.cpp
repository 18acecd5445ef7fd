// SPDX-License-Identifier: MIT
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <map>

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
        some.push_back(user.pid == 0 ? user.program
                                     : fmt::format("{} ({})", user.pid, user.program));
    }
    if (some.empty()) return "processes that are not visible here";
    const auto more = segment.users.size() - some.size();
    return fmt::format("{}{}{}", segment.users.front().pid == 0 ? "" : "process ",
                       fmt::join(some, ", "), more > 0 ? fmt::format(" and {} more", more) : "");
}

std::string why_in_use(const HostSegment& segment) {
    if (segment.removed)
        return fmt::format("already removed; the kernel frees it when {} detaches it",
                           users_of(segment));
    if (segment.kind == SegmentKind::memfd || segment.unlinked)
        return fmt::format("it has no name to remove; the kernel frees it when {} closes it",
                           users_of(segment));
    return fmt::format("in use by {}{}", users_of(segment),
                       segment.program.empty() ? "" : fmt::format(", {}", segment.program));
}

struct Objection {
    Refusal refusal = Refusal::none;
    std::string reason;
};

// Why it stays, before any attempt to remove it.
Objection objection(const HostSegment& segment) {
    if (segment.verdict == SegmentVerdict::in_use) return {Refusal::in_use, why_in_use(segment)};
    if (segment.verdict == SegmentVerdict::ours && segment.confidence >= kCertain)
        return {Refusal::managed,
                "an instance of Snakepit SHM manages it: use 'snakepit-shm cleanup', or run "
                "'snakepit-shm serve' for that instance"};
    if (::geteuid() != 0 && segment.uid != ::geteuid() && segment.creator_uid != ::geteuid())
        return {
            Refusal::not_permitted,
            fmt::format("it belongs to {}: only that user or root can remove it", segment.user)};
    if (segment.creator_may_live)
        return {Refusal::creator_may_live,
                fmt::format("A running program may still need it. {} Stop that program first, or "
                            "use --force.",
                            fmt::join(segment.evidence, " "))};
    return {};
}

// Replaces "not visible" by what was learned during the removal.
std::string grounds(const HostSegment& segment, Proof proof) {
    auto evidence = segment.evidence;
    for (auto& sentence : evidence)
        if (sentence == kUseNotSeen || sentence == kNoUseSeen)
            sentence = proof == Proof::lease
                           ? "No process has it open or mapped (confirmed by the kernel)."
                           : kNoUseSeen;
    return fmt::format(
        "{} ({} %). {}",
        segment.verdict == SegmentVerdict::left_over ? "Left over" : "Not in use now",
        segment.confidence, fmt::join(evidence, " "));
}

// The name of the file that "/name" or "/dev/shm/name" means.
std::string_view file_of(std::string_view word, std::string_view shm_path) {
    while (shm_path.ends_with('/')) shm_path.remove_suffix(1);
    if (word.starts_with(shm_path) && word.substr(shm_path.size()).starts_with('/'))
        word.remove_prefix(shm_path.size());
    word.remove_prefix(std::min(word.find_first_not_of('/'), word.size()));
    return word;
}

Refusal refusal_of(const Error& error) {
    switch (error.code) {
        case ErrorCode::region_in_use:
            return Refusal::in_use;
        case ErrorCode::region_not_found:
            return Refusal::not_found;
        case ErrorCode::identity_mismatch:
            return Refusal::exchanged;
        case ErrorCode::permission_denied:
            return Refusal::not_permitted;
        default:
            return Refusal::failed;
    }
}

class Cleaning {
  public:
    Cleaning(const Scan& scan, const CleanOptions& clean, const SurveyOptions& options)
        : scan_(scan),
          clean_(clean),
          options_(options),
          rehearsal_(clean.dry_run ? Rehearsal::yes : Rehearsal::no) {}

    void want(HostSegment segment, std::vector<std::string> names) {
        items_.push_back({.segment = segment});
        auto& item = items_.back();
        auto [refusal, reason] = objection(segment);
        if (refusal == Refusal::creator_may_live && clean_.force) {
            item.overridden = true;
            refusal = Refusal::none;
        }
        item.refusal = refusal;
        item.reason = std::move(reason);
        if (refusal == Refusal::none) try_to_remove(items_.size() - 1, std::move(names));
    }

    void stays(HostSegment segment, Refusal refusal, std::string reason) {
        items_.push_back({.segment = std::move(segment), .refusal = refusal});
        items_.back().reason = std::move(reason);
    }

    Result<std::vector<HostCleanItem>> finish() {
        if (!without_lease_.empty()) SHM_TRY(look_again());
        // Otherwise we would be taken for one more program that may know them.
        if (opened_ && options_.origins) scan_.be_seen_by(*options_.origins);
        return std::move(items_);
    }

  private:
    void try_to_remove(std::size_t at, std::vector<std::string> names) {
        const auto& segment = items_[at].segment;
        if (segment.kind == SegmentKind::system_v) {
            const auto* place = scan_.table_place(segment);
            settle(items_[at], remove_system_v(segment, *place, rehearsal_), 0, Proof::lease);
            return;
        }
        opened_ = true;
        const auto removed = remove(segment, names, Proof::lease);
        if (!removed && removed.error().code == ErrorCode::not_supported)
            without_lease_.push_back({at, std::move(names)});
        else
            settle(items_[at], removed, removed.value_or(0), Proof::lease);
    }

    Result<std::uint64_t> remove(const HostSegment& segment, const std::vector<std::string>& names,
                                 Proof proof) const {
        const auto& place = *scan_.file_place(segment);
        std::vector<std::string> paths;
        for (const auto& name : names) paths.push_back(path_of_name(place, name));
        return remove_file(segment, place, paths, proof, rehearsal_);
    }

    template <typename Done>
    void settle(HostCleanItem& item, const Done& done, std::uint64_t names_left, Proof proof) {
        if (!done) {
            item.refusal = refusal_of(done.error());
            item.reason = done.error().sentence();
            return;
        }
        item.removable = true;
        item.removed = rehearsal_ == Rehearsal::no;
        item.segment.confidence = item.segment.confidence_if_unused;
        item.reason = grounds(item.segment, proof);
        if (names_left == 0)
            item.freed = item.segment.resident;
        else
            item.reason +=
                fmt::format(" This frees nothing: the memory has another name{}.",
                            names_left > 1 ? fmt::format(" ({} of them)", names_left) : "");
    }

    // If the kernel cannot be asked, all processes are checked once for all segments to remove.
    Status look_again() {
        auto thorough = options_;
        thorough.every_mapping = true;
        thorough.quick = false;
        SHM_ASSIGN(auto scan, Scan::run(thorough));
        const bool waiting = scan.descriptors_wait();
        const auto now = scan.survey();
        std::map<std::pair<std::uint64_t, std::uint64_t>, const HostSegment*> found;
        for (const auto& segment : now.segments)
            if (segment.kind == SegmentKind::posix)
                found.emplace(std::pair(segment.device, segment.inode), &segment);
        for (const auto& [at, names] : without_lease_) {
            auto& item = items_[at];
            const auto it = found.find({item.segment.device, item.segment.inode});
            Status unused = it == found.end()
                                ? fail(ErrorCode::region_not_found, "it was removed meanwhile")
                                : unused_now(*it->second, waiting);
            if (unused) {
                const auto removed = remove(item.segment, names, Proof::look);
                settle(item, removed, removed.value_or(0), Proof::look);
            } else {
                settle(item, unused, 0, Proof::look);
                if (unused.error().code == ErrorCode::platform_error)
                    item.refusal = Refusal::not_known;
            }
        }
        return {};
    }

    static Status unused_now(const HostSegment& segment, bool descriptors_wait) {
        if (!segment.users.empty())
            return fail(ErrorCode::region_in_use, "in use by " + users_of(segment));
        if (segment.users_complete && descriptors_wait)
            return fail(ErrorCode::platform_error,
                        "descriptors wait in sockets or io_uring, and one of them may refer to it",
                        "try again, or run it with CAP_LEASE");
        if (segment.users_complete) return {};
        return fail(ErrorCode::platform_error,
                    "a process that cannot be inspected, or the kernel, may use it",
                    ::geteuid() == 0
                        ? "run it with CAP_SYS_PTRACE or CAP_LEASE, outside of containers"
                        : "ask an administrator to remove it");
    }

    const Scan& scan_;
    const CleanOptions& clean_;
    const SurveyOptions& options_;
    Rehearsal rehearsal_;
    bool opened_ = false;  // files, to ask the kernel who has them
    std::vector<HostCleanItem> items_;
    std::vector<std::pair<std::size_t, std::vector<std::string>>> without_lease_;
};

bool goes_by_itself(const HostSegment& segment) {
    return segment.verdict == SegmentVerdict::left_over &&
           segment.confidence_if_unused >= kCertain && segment.name_space == 0;
}

bool same(const HostSegment& left, const HostSegment& right) {
    return left.name == right.name && left.device == right.device && left.inode == right.inode &&
           left.key == right.key && left.created == right.created;
}

// System V: somebody attached or detached it between two surveys.
bool attached_since(const HostSegment& before, const HostSegment& now) {
    return before.kind == SegmentKind::system_v &&
           (before.last_user != now.last_user || before.touched != now.touched);
}

struct Meant {
    const HostSegment* segment = nullptr;
    std::string name;  // of its names the one that was typed
};

// A path never means a segment of another kind or namespace: "/sysv:3" is a file.
std::vector<Meant> meant_by(const HostSurvey& survey, const std::string& word,
                            std::string_view shm_path) {
    const bool is_path = word.starts_with('/') || word.starts_with(fmt::format("{}/", shm_path));
    std::string name(is_path ? file_of(word, shm_path) : word);
    if (is_path) name = name_of_file(name);
    std::vector<Meant> out;
    for (const auto& segment : survey.segments) {
        const bool can_be = !is_path || (segment.kind == SegmentKind::posix && !segment.unlinked &&
                                         segment.name_space == 0);
        const auto& names = segment.names;
        if (can_be && std::find(names.begin(), names.end(), name) != names.end())
            out.push_back({&segment, name});
        else if (!is_path && segment.kind == SegmentKind::system_v && word.starts_with("0x") &&
                 is_called(segment, word))
            out.push_back({&segment, segment.name});
    }
    return out;
}

std::string several(std::string_view word, const std::vector<Meant>& meant) {
    std::vector<std::string> names;
    for (const auto& each : meant)
        names.push_back(each.segment->kind == SegmentKind::posix && each.segment->name_space == 0
                            ? "/" + each.name
                            : each.segment->name);
    return fmt::format("{} segments are called {}: {}; name one of them", meant.size(), word,
                       fmt::join(names, ", "));
}

// Why a word does not name a segment.
std::string no_segment(const HostSurvey& survey, std::string_view word) {
    for (const auto& other : survey.others)
        if (other.name == word)
            return fmt::format("this is a {}, not a shared memory segment", other.kind);
    return "no segment has this name; 'snakepit-shm host --all' lists all of them";
}

}  // namespace

Result<std::vector<HostCleanItem>> clean_segments(const std::vector<HostSegment>& segments,
                                                  const CleanOptions& clean,
                                                  const SurveyOptions& options) {
    SHM_ASSIGN(auto scan, Scan::run(options));
    const auto found = scan.survey().segments;
    Cleaning cleaning(scan, clean, options);
    for (const auto& wanted : segments) {
        const auto now = std::find_if(found.begin(), found.end(),
                                      [&](const auto& segment) { return same(segment, wanted); });
        if (now == found.end())
            cleaning.stays(wanted, Refusal::exchanged,
                           "it was removed meanwhile, or another segment has its name now");
        else if ((wanted.verdict == SegmentVerdict::left_over &&
                  now->verdict == SegmentVerdict::unknown) ||
                 attached_since(wanted, *now))
            cleaning.stays(*now, Refusal::not_known,
                           "it was used meanwhile and may still be needed");
        else
            cleaning.want(*now, now->names);
    }
    return cleaning.finish();
}

Result<std::vector<HostCleanItem>> clean_host(const std::vector<std::string>& words,
                                              const CleanOptions& clean,
                                              const SurveyOptions& options) {
    if (clean.force && words.empty())
        return fail(ErrorCode::invalid_argument, "--force needs the names of segments",
                    "use the names that 'snakepit-shm host' shows");
    SHM_ASSIGN(auto scan, Scan::run(options));
    auto found = scan.survey();
    Cleaning cleaning(scan, clean, options);
    if (words.empty())
        for (auto& segment : found.segments)
            if (goes_by_itself(segment)) cleaning.want(segment, segment.names);
    for (const auto& word : words) {
        const auto meant = meant_by(found, word, options.shm_path);
        if (meant.size() == 1) {
            const auto& [segment, name] = meant.front();
            cleaning.want(*segment, {name});
            continue;
        }
        if (meant.size() > 1) {
            cleaning.stays(*meant.front().segment, Refusal::ambiguous, several(word, meant));
            continue;
        }
        HostSegment unknown;
        unknown.name = unknown.label = word;
        cleaning.stays(std::move(unknown), Refusal::not_found,
                       no_segment(found, file_of(word, options.shm_path)));
    }
    return cleaning.finish();
}

}  // namespace snakepit::shm
