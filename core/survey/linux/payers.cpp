// SPDX-License-Identifier: MIT
#include "survey/linux/payers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <system_error>

#include <fmt/format.h>

#include "base/pluralize.h"
#include "base/units.h"
#include "survey/group_names.h"
#include "survey/linux/memory_groups.h"
#include "survey/linux/proc_files.h"
#include "survey/segment_memory.h"

namespace snakepit::shm::survey {

namespace {

// Bits of a pagemap entry (admin-guide/mm/pagemap.rst).
constexpr std::uint64_t kPresent = 1ULL << 63, kOfFile = 1ULL << 61, kNumber = (1ULL << 55) - 1;
// Entries read at once, and how often in one mapping: its parts are spread over it.
constexpr std::uint64_t kEntries = 512;
constexpr std::uint64_t kParts = 64;
constexpr int kMostMappings = 3;               // of one segment that are looked at
constexpr std::uint64_t kMostReads = 200'000;  // of one survey

constexpr double kFilled = 0.9;    // of a limit
constexpr double kCounts = 0.1;    // of a limit, that left-over segments have
constexpr std::size_t kShown = 3;  // segments in a sentence

struct Page {
    std::uint64_t at = 0;      // its number among the addresses of the process
    std::uint64_t number = 0;  // physical; 0: none is mapped
};

class PayerFinder {
  public:
    PayerFinder(const ProcessTable& table, HostSurvey& survey)
        : proc_(table.proc()),
          survey_(survey),
          groups_(proc_),
          charges_(::openat(proc_, "kpagecgroup", O_RDONLY | O_CLOEXEC)) {
        if (!groups_.problem().empty()) {
            problem_ = groups_.problem();
        } else if (!charges_) {
            problem_ = errno == EACCES || errno == EPERM
                           ? "Only root can see who pays (/proc/kpagecgroup)."
                           : fmt::format("/proc/kpagecgroup cannot be read: {}.",
                                         std::generic_category().message(errno));
        }
    }

    void ask(const std::vector<MappedSegment>& mapped) {
        if (!problem_.empty()) return;
        tries_.resize(survey_.segments.size());
        for (const auto& one : mapped) {
            auto& segment = survey_.segments[one.segment];
            if (!segment.payer.group.empty() || segment.huge_pages) continue;
            if (++tries_[one.segment] <= kMostMappings) ask(one, segment);
        }
    }

    void remember(const SegmentMemory& memory) {
        for (auto& segment : survey_.segments) {
            if (!segment.payer.group.empty()) continue;
            const auto* known = memory.find(identity_of(segment));
            if (!known || known->group.empty()) continue;
            // The pages of a group that was removed are charged to the one above.
            set_payer(segment, groups_.existing(known->group), SegmentPayer::KnownBy::earlier);
        }
    }

    void explain() {
        for (auto& segment : survey_.segments)
            if (segment.payer.group.empty() && segment.payer.reason.empty())
                segment.payer.reason = reason_for(segment);
    }

    void sum_up();

  private:
    void ask(const MappedSegment& mapped, HostSegment& segment);
    Page first_page(int pagemap, const MappedSegment& mapped);
    bool still_maps(const std::string& home, const MappedSegment& mapped,
                    const HostSegment& segment) const;
    void set_payer(HostSegment& segment, std::string group, SegmentPayer::KnownBy known_by);
    std::string reason_for(const HostSegment& segment) const;
    void add_limit(PayingGroup& group) const;
    void add_warning(PayingGroup& group) const;

    int proc_;
    HostSurvey& survey_;
    MemoryGroups groups_;
    Handle charges_;
    std::string problem_;  // why no payer can be determined
    std::vector<std::uint8_t> tries_;
    std::map<std::string, GroupName> names_;
    std::int64_t pid_ = 0;  // of the open pagemap
    Handle pagemap_;
    std::uint64_t reads_ = 0;
};

bool is_used(const HostSegment& segment) {
    return segment.attached > 0 || !segment.users.empty();
}

std::uint64_t entry_at(int pagemap, std::uint64_t page) {
    std::uint64_t entry = 0;
    const auto at = static_cast<off_t>(page * sizeof entry);
    return ::pread(pagemap, &entry, sizeof entry, at) == sizeof entry ? entry : 0;
}

// The number of the file's page that an entry shows: a private copy of a page is not the file's.
std::uint64_t number_in(std::uint64_t entry) {
    return (entry & kPresent) != 0 && (entry & kOfFile) != 0 ? entry & kNumber : 0;
}

// Reading the page table allocates nothing: where no page is mapped, none is.
Page PayerFinder::first_page(int pagemap, const MappedSegment& mapped) {
    std::array<std::uint64_t, kEntries> entries;
    const auto begin = mapped.begin / kPageBytes, end = mapped.end / kPageBytes;
    const auto step = std::max(kEntries, (end - begin) / kParts);
    for (auto at = begin; at < end && reads_ < kMostReads; at += step) {
        ++reads_;
        const auto count = std::min(kEntries, end - at);
        const auto got = ::pread(pagemap, entries.data(), count * sizeof entries[0],
                                 static_cast<off_t>(at * sizeof entries[0]));
        if (got <= 0) break;
        for (std::size_t i = 0; i < static_cast<std::size_t>(got) / sizeof entries[0]; ++i)
            if (const auto number = number_in(entries[i])) return {at + i, number};
    }
    return {};
}

bool PayerFinder::still_maps(const std::string& home, const MappedSegment& mapped,
                             const HostSegment& segment) const {
    struct stat info {};
    const auto entry = fmt::format("{}/map_files/{:x}-{:x}", home, mapped.begin, mapped.end);
    if (::fstatat(proc_, entry.c_str(), &info, 0) != 0) return false;
    if (segment.kind == SegmentKind::system_v)
        return segment.name.ends_with(fmt::format("sysv:{}", info.st_ino));
    return info.st_dev == segment.device && info.st_ino == segment.inode;
}

void PayerFinder::ask(const MappedSegment& mapped, HostSegment& segment) {
    const auto number = mapped.thread == 0 ? mapped.pid : mapped.thread;
    const auto home = fmt::format("{}", number);
    if (pid_ != number) {
        pid_ = number;
        pagemap_ = Handle(::openat(proc_, (home + "/pagemap").c_str(), O_RDONLY | O_CLOEXEC));
    }
    if (!pagemap_) return;
    const auto page = first_page(pagemap_.get(), mapped);
    std::uint64_t inode = 0;
    if (page.number == 0 || ::pread(charges_.get(), &inode, sizeof inode,
                                    static_cast<off_t>(page.number * sizeof inode)) != sizeof inode)
        return;
    // The page may have been freed meanwhile, and be another's now.
    if (number_in(entry_at(pagemap_.get(), page.at)) != page.number ||
        !still_maps(home, mapped, segment))
        return;
    if (inode == 0) {
        segment.payer.reason = "The kernel charges its pages to no control group.";
        return;
    }
    auto path = groups_.path_of(inode);
    if (path.empty())
        segment.payer.reason = fmt::format(
            "It is charged to a control group that is not visible from here (number {}).", inode);
    else
        set_payer(segment, std::move(path), SegmentPayer::KnownBy::page);
}

void PayerFinder::set_payer(HostSegment& segment, std::string group,
                            SegmentPayer::KnownBy known_by) {
    auto [known, fresh] = names_.try_emplace(group);
    if (fresh) known->second = name_of_group(group);
    segment.payer = {known_by, std::move(group), known->second.name, known->second.kind, {}};
}

std::string PayerFinder::reason_for(const HostSegment& segment) const {
    if (segment.resident == 0) return "It has no pages.";
    if (segment.huge_pages) return "Huge pages are not charged to control groups of memory.";
    if (!problem_.empty()) return problem_;
    if (!is_used(segment))
        return "No process has it mapped, and who paid was not recorded while one had: opening or "
               "attaching it would change what is known about its use.";
    return "No process that can be inspected has a page of it mapped.";
}

// The limits above count as well: the one with the least left.
void PayerFinder::add_limit(PayingGroup& group) const {
    auto path = group.group;
    while (path.size() > 1) {
        const auto use = groups_.use_of(path);
        if (use && use->limit > 0) {
            const auto left = [](std::uint64_t limit, std::uint64_t used) {
                return limit - std::min(limit, used);
            };
            if (group.limit == 0 || left(use->limit, use->used) < left(group.limit, group.used)) {
                group.limit = use->limit;
                group.used = use->used;
                group.shared = use->shared;
                group.limited = path;
            }
        }
        path.erase(path.rfind('/'));
    }
}

// What is left over below a limit counts, whichever of its groups pays.
void PayerFinder::add_warning(PayingGroup& group) const {
    if (group.limit == 0 ||
        static_cast<double>(group.used) < kFilled * static_cast<double>(group.limit))
        return;
    std::vector<const HostSegment*> left;
    std::uint64_t bytes = 0;
    for (const auto& segment : survey_.segments) {
        const auto& payer = segment.payer.group;
        const bool below = payer == group.limited || payer.starts_with(group.limited + "/");
        if (segment.verdict != SegmentVerdict::left_over || !below) continue;
        left.push_back(&segment);
        bytes += segment.resident;
    }
    if (static_cast<double>(bytes) < kCounts * static_cast<double>(group.limit)) return;
    std::sort(left.begin(), left.end(),
              [](const auto* a, const auto* b) { return a->resident > b->resident; });
    std::string names;
    for (std::size_t i = 0; i < std::min(left.size(), kShown); ++i)
        names += fmt::format("{}{}", i == 0 ? "" : ", ", left[i]->name);
    if (left.size() > kShown) names += fmt::format(" and {} more", left.size() - kShown);
    group.warning = fmt::format("{} uses {} of its limit of {}; {} of that are {}: {}.",
                                name_of_group(group.limited).name, format_size(group.used),
                                format_size(group.limit), format_size(bytes),
                                pluralize(left.size(), "left-over segment"), names);
}

void PayerFinder::sum_up() {
    std::map<std::string, PayingGroup> sums;
    for (const auto& segment : survey_.segments) {
        const auto& payer = segment.payer;
        if (payer.group.empty()) continue;
        auto& sum = sums[payer.group];
        sum.group = payer.group;
        sum.name = payer.name;
        sum.kind = payer.kind;
        ++sum.segments;
        sum.bytes += segment.resident;
        if (segment.verdict != SegmentVerdict::left_over) continue;
        ++sum.left_over;
        sum.bytes_left += segment.resident;
    }
    for (auto& [path, sum] : sums) {
        add_limit(sum);
        add_warning(sum);
        survey_.groups.push_back(std::move(sum));
    }
    std::stable_sort(survey_.groups.begin(), survey_.groups.end(),
                     [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
}

}  // namespace

void find_payers(const ProcessTable& table, const std::vector<MappedSegment>& mapped,
                 const SegmentMemory* memory, HostSurvey& survey) {
    PayerFinder finder(table, survey);
    finder.ask(mapped);
    if (memory) finder.remember(*memory);
    finder.explain();
    finder.sum_up();
}

}  // namespace snakepit::shm::survey
