// SPDX-License-Identifier: MIT
#include "history.h"

#include <map>

#include "events/event_reader.h"

namespace snakepit::shm::test {

namespace {

struct Life {
    int allocated = 0, freed = 0;
};

}  // namespace

QString check_history(const std::string& database) {
    auto reader = EventReader::open(database);
    if (!reader) return QString::fromStdString(reader.error().sentence());
    std::map<std::uint64_t, std::uint64_t> last;  // number, by epoch
    std::map<std::string, Life> lives;
    EventQuery query;
    for (;;) {
        const auto rows = reader->query(query);
        if (!rows) return QString::fromStdString(rows.error().sentence());
        if (rows->empty()) break;
        for (const auto& row : *rows) {
            if (row.kind == EventKind::database_reopened) continue;
            if (row.ring_seq != ++last[row.epoch])
                return QString("event %1 stands where %2 belongs")
                    .arg(row.ring_seq)
                    .arg(last[row.epoch]);
            if (row.kind == EventKind::damaged || row.kind == EventKind::cleanup_failed ||
                row.kind == EventKind::gap || row.kind == EventKind::client_hostile)
                return QString("event %1 should not have come about: %2")
                    .arg(row.ring_seq)
                    .arg(QString::fromStdString(row.detail));
            if (row.kind == EventKind::allocated) ++lives[row.region_id].allocated;
            if (row.kind == EventKind::freed) ++lives[row.region_id].freed;
        }
        query.after_seq = rows->back().seq;
    }
    for (const auto& [id, life] : lives)
        if (life.allocated != 1 || life.freed != 1)
            return QString("%1 was allocated %2 times and freed %3 times")
                .arg(QString::fromStdString(id))
                .arg(life.allocated)
                .arg(life.freed);
    return lives.empty() ? "no region was ever allocated" : QString();
}

}  // namespace snakepit::shm::test
