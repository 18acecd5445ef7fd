// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/handle.h"
#include "base/result.h"
#include "origins/linux/recorded_processes.h"
#include "origins/linux/table_watch.h"
#include "origins/origin_store.h"
#include "survey/linux/file_events.h"
#include "survey/linux/tree/budget.h"

namespace snakepit::shm::origins {

struct LogOptions {
    std::string database;               // the path of origins.db
    std::string shm_path = "/dev/shm";  // of our own segments
    bool only_there = false;            // nothing of other namespaces
    bool commands = false;              // record command lines, without secrets
    StoreLimits limits;
    std::function<void(const std::string&)> report;  // one sentence for the journal
};

// Records who makes, names, opens and removes the segments of this host, in one loop. It only
// observes: no process waits for it, and when there is more than it may work for, it records that
// it missed something.
class OriginLog {
  public:
    // permission_denied without CAP_SYS_ADMIN; instance_in_use if another log has the database.
    static Result<OriginLog> open(LogOptions options);
    // Until `stop` is readable.
    Status run(const Handle& stop);

  private:
    struct Segment {
        std::int64_t id = 0, maker = 0;
        std::int64_t names = 1;
        std::int64_t removed = 0;  // when it had no name left, boot clock
    };

    OriginLog(LogOptions options, survey::FileEvents events, RecordedProcesses processes)
        : options_(std::move(options)),
          events_(std::move(events)),
          processes_(std::move(processes)) {}
    Status open_store();
    void turn(const Handle& stop, bool& stopped);
    int wait_ms();
    void read_events();
    void on_event(survey::FileEvent& event);
    void on_lost();
    void on_file(survey::FileEvent& event, std::int64_t process);
    Segment& segment_of(const survey::FileEvent& event, std::int64_t process, bool created);
    void note_removal(std::int64_t segment, std::int64_t boot);
    void forget_removed();
    void find_places();
    void watch(int directory, const std::string& path);
    void read_table(std::uint64_t name_space);
    void read_tables();
    void tell_failure(const Error& error);
    void commit();
    void forget_all(const std::string& reason);
    void gap(std::uint64_t space, std::int64_t begin, std::string reason);

    LogOptions options_;
    survey::FileEvents events_;
    RecordedProcesses processes_;
    TableWatch tables_;
    std::optional<OriginStore> store_;
    Batch batch_;
    // One part in 18: less than 6 % of a core.
    survey::Budget budget_{18};
    std::unordered_map<std::string, Segment> segments_;       // by file system and file handle
    std::vector<std::string> removed_;                        // keys of those without a name
    std::unordered_set<std::uint64_t> opened_;                // hashes of segment and process
    std::unordered_map<std::uint64_t, std::string> watched_;  // paths by space, see PlaceRow
    std::unordered_set<std::uint64_t> unwatched_;             // file systems that cannot be
    std::uint64_t own_table_ = 0;
    std::int64_t last_segment_ = 0;
    std::int64_t read_until_ = 0, committed_at_ = 0;                       // boot clock
    std::int64_t next_places_ = 0, next_tables_ = 0, next_retention_ = 0;  // boot clock
    std::int64_t read_again_at_ = 0;
    bool all_known_ = false;  // the processes of the last events were known already
    bool failing_ = false;    // the database cannot be written
    Moment now_;
    Handle lock_;
};

}  // namespace snakepit::shm::origins
