// SPDX-License-Identifier: MIT
#include "beliefs.h"

#include <QStringList>

namespace snakepit::shm::test {

namespace {

QString brief(const Counts& counts) {
    QStringList out;
    for (const auto& [id, count] : counts)
        out << QString("%1 x%2").arg(QString::fromStdString(id)).arg(count);
    return out.join(", ");
}

Counts without(Counts counts, const Counts& others) {
    for (const auto& [id, count] : others)
        if (const auto same = counts.find(id); same != counts.end() && same->second == count)
            counts.erase(same);
    return counts;
}

}  // namespace

void Beliefs::take(const QString& line) {
    const auto words = line.split(' ');
    const auto id = words.value(1).toStdString();
    if (words[0] == "hold") references[id] += words.value(2).toULongLong();
    if (words[0] == "whole") whole.insert(id);
    if (words[0] == "zeroed") zeroed.insert(id);
    if (words[0] == "lost") lost.emplace_back(id, words.value(2).toULongLong());
    if (words[0] == "lock")
        locks[words.value(2).toULongLong()] = {id, words.value(3).toUInt(),
                                               words.value(4).toUInt()};
}

QString compare_references(const Everybody& all, const std::vector<RegionInfo>& regions,
                           const std::vector<RegionLocks>& locked, qint64 myself) {
    std::map<qint64, Counts> seen;
    for (const auto& region : regions)
        for (const auto& reference : region.references)
            if (reference.count > 0) seen[reference.pid][region.id.str()] += reference.count;
    // Compared by themselves: compare_locks().
    for (const auto& region : locked)
        for (const auto& holder : region.holders) {
            auto& counts = seen[holder.pid];
            if (--counts[region.id.str()] == 0) counts.erase(region.id.str());
        }
    for (const auto& [pid, beliefs] : all)
        if (const auto& counts = seen[pid]; counts != beliefs.references)
            return QString("process %1 holds %2; the manager counts %3")
                .arg(pid)
                .arg(brief(without(beliefs.references, counts)),
                     brief(without(counts, beliefs.references)));
    for (const auto& [pid, counts] : seen)
        if (pid != myself && !counts.empty() && !all.contains(pid))
            return QString("process %1 is gone and counted: %2").arg(pid).arg(brief(counts));
    return {};
}

namespace {

// What the manager lists of one region.
QString compare_region(const RegionLocks& region, const Everybody& all,
                       std::set<std::uint64_t>& listed) {
    const auto name = QString::fromStdString(region.id.str());
    std::size_t writers = 0;
    for (const auto& holder : region.holders) {
        writers += holder.mode == AccessMode::read_write ? 1 : 0;
        listed.insert(holder.token);
        const auto process = all.find(holder.pid);
        if (process == all.end())
            return QString("%1 is locked by %2, which is gone").arg(name).arg(holder.pid);
        const auto lock = process->second.locks.find(holder.token);
        if (lock == process->second.locks.end())
            return QString("%1 knows of no lock on %2").arg(holder.pid).arg(name);
        const auto& believed = lock->second;
        if (believed.id != region.id.str() || believed.mode() != holder.mode ||
            believed.read + believed.write != holder.depth)
            return QString("%1 believes in %2+%3 levels of its lock on %4, the manager in %5, %6")
                .arg(holder.pid)
                .arg(believed.read)
                .arg(believed.write)
                .arg(name)
                .arg(holder.depth)
                .arg(QString::fromUtf8(to_string(holder.mode).data()));
    }
    if (writers > 0 && region.holders.size() > 1) return name + " is locked by too many";
    if (region.waiter_count > 0) return name + " is waited for by nobody";
    return {};
}

}  // namespace

QString compare_locks(const Everybody& all, const std::vector<RegionLocks>& locked,
                      const std::set<std::uint64_t>& taken_locks,
                      const std::set<std::string>& taken_regions) {
    std::set<std::uint64_t> listed;
    for (const auto& region : locked)
        if (const auto wrong = compare_region(region, all, listed); !wrong.isEmpty()) return wrong;
    const auto taken = [&](const std::string& id, std::uint64_t token) {
        return taken_locks.contains(token) || taken_regions.contains(id);
    };
    for (const auto& [pid, beliefs] : all) {
        for (const auto& [token, lock] : beliefs.locks)
            if (!listed.contains(token) && !taken(lock.id, token))
                return QString("the lock of %1 on %2 is lost")
                    .arg(pid)
                    .arg(QString::fromStdString(lock.id));
        for (const auto& [id, token] : beliefs.lost)
            if (!taken(id, token))
                return QString("%1 lost its lock on %2").arg(pid).arg(QString::fromStdString(id));
    }
    return {};
}

}  // namespace snakepit::shm::test
