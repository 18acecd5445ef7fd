// SPDX-License-Identifier: MIT
#include "origins/linux/table_watch.h"

#include <unistd.h>

#include <algorithm>

#include "survey/linux/scan.h"

namespace snakepit::shm::origins {

namespace {

constexpr std::uint64_t kHugePage = 2 << 20;  // of sizes only, which are not recorded

// Whether a process that was read just now can have made the segment: another one may have got its
// number meanwhile.
bool began_before(const survey::RecordedProcess& process, Timestamp created, Moment at) {
    const auto ticks = ::sysconf(_SC_CLK_TCK);
    const auto began = process.started * kMicrosPerSecond / std::max(ticks, 1L);
    return began <= at.boot - (at.wall.micros - created.micros) + kMicrosPerSecond;
}

}  // namespace

void TableWatch::add(std::uint64_t name_space, const HostSegment& row, bool first, Moment at,
                     RecordedProcesses& processes, std::int64_t& last_segment, Batch& out) {
    auto identity = survey::table_identity(row.inode, row.creator.pid, row.created);
    auto& known = known_[{name_space, row.inode}];
    known = {.identity = identity, .segment = ++last_segment, .creator = row.creator.pid};
    known.last_user = row.last_user;
    known.touched = row.touched.micros;
    const auto rows = out.processes.size();
    if (!first) known.maker = processes.identify(row.creator.pid, at, out);
    if (out.processes.size() > rows && !began_before(out.processes.back().process, row.created, at))
        known.maker = 0;
    out.segments.push_back({.id = known.segment,
                            .identity = {SegmentKind::system_v, name_space, std::move(identity)},
                            .name = row.name,
                            .maker = known.maker,
                            .maker_pid = row.creator.pid,
                            .made = first ? Moment{} : at});
}

void TableWatch::read(std::uint64_t name_space, const std::string& table, Moment at,
                      RecordedProcesses& processes, std::int64_t& last_segment, Batch& out) {
    const auto pass = ++passes_[name_space];
    for (const auto& row : survey::parse_system_v(table, kHugePage)) {
        const auto found = known_.find({name_space, row.inode});
        const auto identity = survey::table_identity(row.inode, row.creator.pid, row.created);
        if (found == known_.end() || found->second.identity != identity)
            add(name_space, row, pass == 1, at, processes, last_segment, out);
        auto& known = known_[{name_space, row.inode}];
        known.pass = pass;
        if (known.maker != 0) processes.confirm(known.maker, known.creator, at);
        const bool fresh = found == known_.end();
        const bool used =
            fresh ? row.last_user > 0
                  : known.last_user != row.last_user || known.touched != row.touched.micros;
        known.last_user = row.last_user;
        known.touched = row.touched.micros;
        if (!used || row.last_user <= 0) continue;
        const auto user = processes.identify(row.last_user, at, out);
        if (user == known.maker && user != 0) continue;
        out.acts.push_back({known.segment, user, row.last_user, What::attached, {}, at});
    }
    for (auto it = known_.lower_bound({name_space, 0});
         it != known_.end() && it->first.first == name_space;) {
        if (it->second.pass == pass) {
            ++it;
            continue;
        }
        out.acts.push_back({it->second.segment, 0, 0, What::removed, {}, at});
        it = known_.erase(it);
    }
}

}  // namespace snakepit::shm::origins
