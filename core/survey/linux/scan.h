// SPDX-License-Identifier: MIT
// One look at the host: what there is and who uses it, not yet judged.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "survey/host_survey.h"
#include "survey/linux/places.h"
#include "survey/linux/process_table.h"
#include "survey/verdict.h"

struct statx;

namespace snakepit::shm::survey {

// Segments that can be more than this, in one directory, are left out, and the survey says so.
inline constexpr std::size_t kMostSegments = 250'000;

class Scan {
  public:
    static Result<Scan> run(const SurveyOptions& options);

    // Judges all of them and hands them out; once.
    HostSurvey survey();

    const Places& places() const { return places_; }

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

    void make_room();  // for what the file system of our own segments says it has
    void list_files(const FilePlace& place, int directory, const std::string& below);
    void add_file(const FilePlace& place, std::string name, const struct statx& info);
    void list_table(const TablePlace& place);
    void read_instance(int directory, const std::string& name, std::uint32_t uid);
    void look_at_processes(bool every_mapping);
    void use(const Process& process, const Sighting& seen);
    // Nothing for what is no segment after all.
    HostSegment* segment_of(const Process& process, const Sighting& seen);
    bool describe(HostSegment& segment, const Process& process, const Sighting& seen) const;
    HostSegment* nameless(const Process& process, const Sighting& seen);
    void name_qt_segments();
    const std::string& user_name(std::uint32_t uid);
    bool clock_was_stepped() const;

    ProcessTable table_;
    Places places_;
    Timestamp now_;
    std::vector<HostSegment> segments_;
    std::unordered_map<SegmentKey, std::size_t, Hash> files_, tables_;
    std::vector<std::uint64_t> memfd_devices_;
    Instances instances_;
    std::map<std::uint32_t, std::string> users_;
    std::uint64_t unreadable_ = 0, too_deep_ = 0;
    HostSurvey result_;
};

// Sizes, owner, mode, identity and times.
void describe_file(HostSegment& segment, const struct statx& info);

// Rows of /proc/sysvipc/shm. `huge_page`: the size of one, in bytes.
std::vector<HostSegment> parse_system_v(std::string_view text, std::uint64_t huge_page);

}  // namespace snakepit::shm::survey
