// SPDX-License-Identifier: MIT
// The regions and programs at any recorded moment, from the events. The first answer reads the
// whole history once and keeps states on the way; later ones read from the nearest of these.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <unordered_set>
#include <vector>

#include "events/region_replay.h"

namespace snakepit::shm {

struct PastState {
    Timestamp moment;
    // False: the history does not reach to this moment; nothing below is known then.
    bool recorded = false;
    Timestamp first, last;  // what the history reaches from and to; 0: it is empty
    std::vector<std::shared_ptr<const PastRegion>> regions;
    std::vector<PastProgram> programs;
    PastManager manager;
    // Regions of which events were lost: whether they existed at this moment is not known.
    std::uint64_t not_known = 0;
    std::uint64_t lost = 0;  // events lost before this moment, as far as they were counted
};

// One thread at a time.
class RegionHistory {
  public:
    using Read = std::function<Result<std::vector<EventRow>>(const EventQuery&)>;
    // Asked between pages, with the number of the last row that was read; false ends the search.
    using GoOn = std::function<bool(std::int64_t)>;

    static constexpr int kPage = 4096;  // rows read at once
    // Rows between two kept states, and the regions in all of them together; when there are more,
    // every second one goes.
    struct Limits {
        std::size_t stride = 16'384, kept_regions = 6'000'000;
    };
    explicit RegionHistory(Read read) : RegionHistory(std::move(read), Limits()) {}
    RegionHistory(Read read, Limits limits);

    // The regions that exist now, if that is known: they explain what no event tells. An event of
    // the very moment has happened. `timeout`: `go_on` ended it; errors of `read`.
    Result<PastState> at(Timestamp moment, const std::optional<std::vector<RegionInfo>>& present,
                         const GoOn& go_on);

    // What the history reaches from and to, without reading all of it.
    struct Reach {
        Timestamp first, last;  // 0: there is no row
    };
    Result<Reach> reach();
    // In all states that are kept.
    std::size_t kept_regions() const { return kept_regions_; }

  private:
    // Rows whose times do not go back: a clock that is set back begins another.
    struct Run {
        std::int64_t first_seq = 0, last_seq = 0, first_time = 0, last_time = 0;
    };
    struct Place {
        RegionReplay replay;
        std::size_t run = 0;
        std::int64_t time = 0;  // the latest in its run so far
    };
    struct Kept {
        RegionReplay::Kept state;
        std::size_t run = 0;
        std::int64_t time = 0;
    };
    // A region that existed before the first event about it.
    struct Early {
        std::shared_ptr<const PastRegion> region;
        std::int64_t first_seq = 0;
    };

    Status follow(const GoOn& go_on);  // reads what was recorded since the last time
    void index(const EventRow& row);
    void add_to_runs(const EventRow& row);
    void note_end_of_registry(const EventRow& row);
    void keep_state();
    void forget_removed(std::int64_t first_seq);
    std::optional<std::size_t> run_of(Timestamp moment) const;
    std::optional<Place> start_for(std::size_t run, Timestamp moment) const;
    Status replay_to(Place& place, std::size_t run, Timestamp moment, const GoOn& go_on);
    void collect(PastState& out, const RegionReplay& replay,
                 const std::optional<std::vector<RegionInfo>>& present) const;
    Result<std::vector<EventRow>> page_after(std::int64_t seq) const;
    void begin_again();

    Read read_;
    Limits limits_;
    std::size_t stride_;
    RegionReplay head_;      // after all rows that were read
    std::int64_t seen_ = 0;  // the newest row when all had been read
    std::vector<Run> runs_;
    std::int64_t latest_ = 0;  // time of a row
    std::vector<Kept> kept_;   // by number
    std::size_t kept_regions_ = 0, since_kept_ = 0;
    std::vector<Early> early_;
    std::vector<std::int64_t> gaps_;             // numbers of rows that tell of lost ones
    std::unordered_set<RegionId> ended_unseen_;  // their end was lost, and their registry ended
    std::optional<Place> last_;                  // where the last answer was found
};

}  // namespace snakepit::shm
