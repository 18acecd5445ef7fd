// SPDX-License-Identifier: MIT
// One scan of the host: all segments and their users, without verdicts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "survey/host_survey.h"
#include "survey/linux/memory_mounts.h"
#include "survey/linux/payers.h"
#include "survey/linux/places.h"
#include "survey/linux/process_table.h"
#include "survey/linux/unseen_users.h"
#include "survey/origin.h"
#include "survey/our_names.h"
#include "survey/verdict.h"

struct statx;

namespace snakepit::shm::survey {

// At most this many segments per directory are listed; the survey reports the omission.
inline constexpr std::size_t kMostSegments = 250'000;
inline constexpr std::size_t kMostDirectories = 20'000;
inline constexpr std::size_t kMostOthers = 1'000;

class Scan {
  public:
    static Result<Scan> run(const SurveyOptions& options);

    // Adds the verdicts and returns the segments; call once.
    HostSurvey survey();
    // Adds who pays to what survey() returned.
    void add_payers(HostSurvey& survey, const SegmentMemory* memory) const;

    // Descriptors of any file may be in a socket or a ring, where no process shows them.
    bool descriptors_wait() const {
        return !looked_.waiting.empty() || !looked_.registered.empty() ||
               looked_.sockets_left_out > 0;
    }

    // The place of a segment; null if it has none.
    const FilePlace* file_place(const HostSegment& segment) const;
    const TablePlace* table_place(const HostSegment& segment) const;

    // After files were opened: see OriginSource.
    void be_seen_by(OriginSource& source) const {
        source.be_seen(places_.files.front().directory.get());
    }

  private:
    struct SegmentKey {
        std::uint64_t space = 0, number = 0;  // device and inode; namespace and id
        bool operator==(const SegmentKey&) const = default;
    };
    struct Hash {
        std::size_t operator()(const SegmentKey& key) const {
            return (key.number + (key.space << 40)) * 0x9E3779B97F4A7C15ULL;
        }
    };

    Scan(ProcessTable table, Places places, Timestamp now)
        : table_(std::move(table)), places_(std::move(places)), now_(now) {}

    void make_room();  // for the usage of the file system of our own segments
    void list_files(const FilePlace& place);
    // `below`: a subdirectory of the place, empty for its root. Directories in it are added to
    // `more`.
    void list_directory(const FilePlace& place, const std::string& below,
                        std::vector<std::string>& more);
    void add_file(const FilePlace& place, const std::string& path, const struct statx& info);
    void add_other(const FilePlace& place, const std::string& path, const char* kind);
    void list_table(const TablePlace& place);
    void read_instance(int directory, const std::string& name, const struct statx& mark_info);
    void look_at_processes(const SurveyOptions& options);
    void use(const Process& process, const Sighting& seen);
    void look_at_kernel();
    void read_origins(OriginSource& source);
    // Empty if its file is not the one that was listed any more. `id`: of System V.
    SegmentIdentity identity_of(const HostSegment& segment, std::uint64_t id) const;
    const Origin* origin_of(const HostSegment& segment) const;
    // Empty if it is not a segment.
    HostSegment* segment_of(const Process& process, const Sighting& seen);
    bool describe(HostSegment& segment, const Process& process, const Sighting& seen) const;
    HostSegment* nameless(const Process& process, const Sighting& seen);
    void note_namespace(HostSegment& segment, const Process& process) const;
    void name_qt_segments();
    const std::string& user_name(std::uint32_t uid);
    bool may_have_acl(const HostSegment& segment) const;
    bool clock_was_stepped() const;
    Setting setting(bool stepped, const SystemView& system) const;
    void put_names_in_order();
    void tell_limits(bool stepped);

    ProcessTable table_;
    Places places_;
    Timestamp now_;
    std::vector<HostSegment> segments_;
    std::unordered_map<SegmentKey, std::size_t, Hash> files_, tables_;
    std::vector<std::uint64_t> memfd_devices_;
    Instances instances_;
    std::optional<std::string> locks_;  // from /proc/locks, read on first use
    std::map<std::uint32_t, std::string> users_;
    MemoryMounts mounts_;
    LookResult looked_;
    std::vector<MappedSegment> mapped_;
    std::vector<KernelUser> undetermined_;        // their files are not known
    std::vector<std::optional<Origin>> origins_;  // in the order of the segments; or empty
    std::uint64_t directories_ = 0, left_out_ = 0;
    HostSurvey result_;
};

// The name of the segment with this path below its place's directory, without the place's mark.
std::string name_of_file(const std::string& path);
// The path of a segment's name below its place's directory.
std::string path_of_name(const FilePlace& place, std::string_view name);

// Sizes, owner, mode, identity and times.
void describe_file(HostSegment& segment, const struct statx& info);

// Rows of /proc/sysvipc/shm. `huge_page`: the size of one, in bytes.
std::vector<HostSegment> parse_system_v(std::string_view text, std::uint64_t huge_page);

}  // namespace snakepit::shm::survey
