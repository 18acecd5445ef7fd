// SPDX-License-Identifier: MIT
#include "events/region_history.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace snakepit::shm {

namespace {

// Microseconds that a row may be behind the one before it, as events of two threads are.
constexpr std::int64_t kDisorder = 2'000'000;

std::shared_ptr<const PastRegion> as_past(const RegionInfo& info) {
    auto region = std::make_shared<PastRegion>();
    region->id = info.id;
    region->name = info.name;
    region->size = info.size;
    region->created_at = info.created_at;
    region->owner_pid = info.owner_pid;
    region->owner_uid = info.owner_uid;
    region->owner_process = info.owner_process;
    region->worker = info.worker;
    region->made_as = {info.cleanup_policy, info.owner_end, info.security_level, info.access_mode,
                       info.permissions};
    region->durable = info.durable;
    region->unknown = kPartState | kPartReferences | kPartUse;
    return region;
}

}  // namespace

RegionHistory::RegionHistory(Read read, Limits limits)
    : read_(std::move(read)), limits_(limits), stride_(limits.stride) {}

void RegionHistory::begin_again() {
    *this = RegionHistory(std::move(read_), limits_);
}

Result<std::vector<EventRow>> RegionHistory::page_after(std::int64_t seq) const {
    EventQuery query;
    query.kinds = RegionReplay::kinds();
    query.after_seq = seq;
    query.limit = kPage;
    return read_(query);
}

Result<RegionHistory::Reach> RegionHistory::reach() {
    EventQuery query;
    query.limit = 1;
    SHM_ASSIGN(const auto first, read_(query));
    query.newest_first = true;
    SHM_ASSIGN(const auto last, read_(query));
    if (first.empty() || last.empty()) return Reach{};
    return Reach{first.front().time, last.front().time};
}

Status RegionHistory::follow(const GoOn& go_on) {
    EventQuery oldest;
    oldest.limit = 1;
    SHM_ASSIGN(const auto first, read_(oldest));
    auto newest = oldest;
    newest.newest_first = true;
    SHM_ASSIGN(const auto last, read_(newest));
    // Another database than before, an empty one, or rows that were removed before they were read.
    const auto read_up_to = std::max(seen_, head_.seq());
    if (last.empty() || last.front().seq < read_up_to ||
        (read_up_to > 0 && first.front().seq > read_up_to + 1))
        begin_again();
    if (last.empty()) return {};
    forget_removed(first.front().seq);
    if (kept_.empty()) {
        kept_.push_back({{}, 0, first.front().time.micros});
        kept_.front().state.seq = first.front().seq - 1;
    }
    for (bool more = true; more;) {
        SHM_ASSIGN(const auto rows, page_after(head_.seq()));
        for (const auto& row : rows) index(row);
        more = rows.size() == static_cast<std::size_t>(kPage);
        if (!go_on(head_.seq())) return fail(ErrorCode::timeout, "the search was ended");
    }
    seen_ = std::max(seen_, last.front().seq);
    return {};
}

// A state is of use as long as all rows after it are there.
void RegionHistory::forget_removed(std::int64_t first_seq) {
    if (kept_.empty()) return;
    const auto usable = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) {
        return kept.state.seq >= first_seq - 1;
    });
    if (usable == kept_.begin()) return;
    last_.reset();
    for (auto kept = kept_.begin(); kept != usable; ++kept)
        kept_regions_ -= kept->state.regions.size();
    kept_.erase(kept_.begin(), usable);
    if (kept_.empty()) keep_state();
}

void RegionHistory::index(const EventRow& row) {
    add_to_runs(row);
    note_end_of_registry(row);
    if (row.kind == EventKind::gap || row.kind == EventKind::rows_missing) gaps_.push_back(row.seq);
    if (!head_.apply(row)) {
        const auto id = RegionId::parse(row.region_id);
        const auto found = head_.regions().find(*id);
        auto region = std::make_shared<PastRegion>();
        if (found != head_.regions().end()) *region = *found->second;
        region->id = *id;
        region->created_at = {static_cast<std::int64_t>(id->micros)};
        // It was so from this event on.
        region->state = RegionState::live;
        region->references = region->holders = 0;
        region->named.clear();
        region->unknown |= kPartSize | kPartState | kPartReferences;
        if (found == head_.regions().end()) region->unknown = kAllParts;
        early_.push_back({std::move(region), row.seq});
    }
    if (++since_kept_ >= stride_) keep_state();
}

void RegionHistory::add_to_runs(const EventRow& row) {
    const auto time = row.time.micros;
    const bool back = !runs_.empty() && time < runs_.back().last_time - kDisorder;
    // The clock was behind, and is right again.
    const bool caught_up = !runs_.empty() && runs_.back().last_time < latest_ && time >= latest_;
    if (runs_.empty() || back || caught_up) runs_.push_back({row.seq, row.seq, time, time});
    auto& run = runs_.back();
    run.last_seq = row.seq;
    run.last_time = std::max(run.last_time, time);
    latest_ = std::max(latest_, time);
}

void RegionHistory::note_end_of_registry(const EventRow& row) {
    if (row.epoch == 0 || row.epoch == head_.epoch() || gaps_.empty()) return;
    for (const auto& [id, region] : head_.regions())
        if (region->last_seq < gaps_.back()) ended_unseen_.insert(id);
}

void RegionHistory::keep_state() {
    since_kept_ = 0;
    kept_.push_back({head_.keep(), runs_.size() - 1, runs_.back().last_time});
    kept_regions_ += kept_.back().state.regions.size();
    while (kept_regions_ > limits_.kept_regions && kept_.size() > 2) {
        stride_ *= 2;
        std::size_t number = 0;  // the first and every second one stay
        std::erase_if(kept_, [&number](const Kept&) { return number++ % 2 == 1; });
        kept_regions_ = 0;
        for (const auto& kept : kept_) kept_regions_ += kept.state.regions.size();
    }
}

// The latest that holds this moment: while the clock was wrong there were others. Between two, the
// one before.
std::optional<std::size_t> RegionHistory::run_of(Timestamp moment) const {
    std::optional<std::size_t> before;
    for (std::size_t i = runs_.size(); i-- > 0;) {
        const auto& run = runs_[i];
        if (run.first_time <= moment.micros && moment.micros <= run.last_time) return i;
        if (run.last_time <= moment.micros && (!before || run.last_time > runs_[*before].last_time))
            before = i;
    }
    return before;
}

// The nearest known state before the moment; none: its rows were removed.
std::optional<RegionHistory::Place> RegionHistory::start_for(std::size_t run,
                                                             Timestamp moment) const {
    const auto fits = [&](std::size_t in, std::int64_t time) {
        return in < run || (in == run && time <= moment.micros);
    };
    const auto end = std::partition_point(
        kept_.begin(), kept_.end(), [&](const Kept& kept) { return fits(kept.run, kept.time); });
    if (end == kept_.begin()) return std::nullopt;
    const auto& kept = *std::prev(end);
    if (last_ && fits(last_->run, last_->time) && last_->replay.seq() >= kept.state.seq)
        return last_;
    return Place{RegionReplay(kept.state), kept.run, kept.time};
}

Status RegionHistory::replay_to(Place& place, std::size_t run, Timestamp moment,
                                const GoOn& go_on) {
    for (;;) {
        SHM_ASSIGN(const auto rows, page_after(place.replay.seq()));
        for (const auto& row : rows) {
            if (row.seq > runs_[run].last_seq) return {};
            auto in = place.run;
            while (in < run && row.seq >= runs_[in + 1].first_seq) ++in;
            const auto time =
                in == place.run ? std::max(place.time, row.time.micros) : row.time.micros;
            if (in == run && time > moment.micros) return {};
            place.replay.apply(row);
            place.run = in;
            place.time = time;
        }
        if (rows.size() < static_cast<std::size_t>(kPage)) return {};
        if (!go_on(place.replay.seq())) return fail(ErrorCode::timeout, "the search was ended");
    }
}

Result<PastState> RegionHistory::at(Timestamp moment,
                                    const std::optional<std::vector<RegionInfo>>& present,
                                    const GoOn& go_on) {
    SHM_TRY(follow(go_on));
    PastState out;
    out.moment = moment;
    if (kept_.empty()) return out;
    out.first = {kept_.front().time};
    SHM_ASSIGN(const auto reach, this->reach());
    out.last = reach.last;
    const auto run = run_of(moment);
    if (!run || moment < out.first) return out;
    auto place = start_for(*run, moment);
    if (!place) return out;
    SHM_TRY(replay_to(*place, *run, moment, go_on));
    collect(out, place->replay, present);
    last_ = std::move(place);
    return out;
}

void RegionHistory::collect(PastState& out, const RegionReplay& replay,
                            const std::optional<std::vector<RegionInfo>>& present) const {
    out.recorded = true;
    out.programs = replay.programs();
    out.manager = replay.manager();
    out.lost = replay.lost();
    std::unordered_set<RegionId> exist;
    if (present)
        for (const auto& info : *present) exist.insert(info.id);
    // The number of the last row before this state that tells of lost ones.
    const auto after = std::upper_bound(gaps_.begin(), gaps_.end(), replay.seq());
    const auto gap = after == gaps_.begin() ? 0 : *std::prev(after);
    const auto never_again = [&](const PastRegion& region) {
        if (ended_unseen_.contains(region.id)) return true;
        const auto found = head_.regions().find(region.id);
        return found != head_.regions().end() && found->second->last_seq == region.last_seq &&
               !exist.contains(region.id);
    };
    for (const auto& [id, region] : replay.regions()) {
        if (region->last_seq < gap && never_again(*region))
            ++out.not_known;
        else
            out.regions.push_back(region);
    }
    for (const auto& early : early_)
        if (early.first_seq > replay.seq() && early.region->created_at <= out.moment)
            out.regions.push_back(early.region);
    if (!present) return;
    std::unordered_set<RegionId> mentioned;
    for (const auto& early : early_) mentioned.insert(early.region->id);
    for (const auto& info : *present)
        if (info.created_at <= out.moment && !head_.regions().contains(info.id) &&
            !mentioned.contains(info.id))
            out.regions.push_back(as_past(info));
}

}  // namespace snakepit::shm
