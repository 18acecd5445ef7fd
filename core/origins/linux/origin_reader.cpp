// SPDX-License-Identifier: MIT
#include "origins/origin_reader.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <unordered_map>
#include <vector>

#include "origins/records.h"
#include "platform/process.h"
#include "platform/process_lock.h"
#include "sqlite/read_connection.h"

namespace snakepit::shm::origins {

namespace {

using survey::Origin;
using survey::RecordedProcess;

constexpr const char* kUsualPlace = "/var/lib/snakepit-shm-origins";
constexpr DatabaseKind kKind{"origin log", "segments", kSchemaVersion};
constexpr std::int64_t kPatience = 5'000'000'000;  // nanoseconds
constexpr unsigned kPauseMicros = 10'000;          // microseconds
constexpr int kMostRowsRead = 1'000'000;

// What nobody but root can have written or read.
bool is_roots(const std::string& path) {
    struct stat info {};
    return ::geteuid() == 0 && ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
           info.st_uid == 0 && (info.st_mode & 077) == 0;
}

std::string key_of(const survey::SegmentIdentity& segment) {
    std::string out(1, static_cast<char>(segment.kind));
    out.append(reinterpret_cast<const char*>(&segment.space), sizeof segment.space);
    return out.append(segment.file);
}

struct Gap {
    std::uint64_t space = 0;
    std::int64_t end = 0;
    std::string reason;
};

// Before it is put together.
struct Recorded {
    std::int64_t id = 0, run = 0, maker = 0, made_boot = 0;
    std::uint64_t space = 0;
    Origin origin;
    std::vector<std::int64_t> openers;
    bool unidentified = false;  // somebody opened it who had ended before he could be read
};

}  // namespace

struct OriginReader::Private {
    explicit Private(const std::string& name) : path(name), connection(name, kKind) {}
    std::int64_t answer();
    bool wait(int directory);  // true: everything before the call is recorded
    bool is_running() const;
    void load(SQLite::Database& database);
    void load_processes(SQLite::Database& database);
    void load_segments(SQLite::Database& database);
    void load_acts(SQLite::Database& database);
    void load_gaps(SQLite::Database& database);
    std::string gap_of(const Recorded& segment) const;
    SQLite::Statement of_boot(SQLite::Database& database, const char* text) const;

    std::string path, boot;
    ReadConnection connection;
    bool caught_up = false, loaded = false;
    std::int64_t run = 0;  // the last one of this boot
    std::unordered_map<std::int64_t, RecordedProcess> processes;
    std::vector<Recorded> segments;
    std::unordered_map<std::string, std::vector<std::size_t>> by_key;
    std::unordered_map<std::int64_t, std::size_t> by_id;
    std::vector<Gap> gaps;                                  // of the last run
    std::unordered_map<std::uint64_t, std::int64_t> since;  // places of the last run
};

// The number of the last answer to this process; 0: none.
std::int64_t OriginReader::Private::answer() {
    return connection
        .run([](SQLite::Database& database) {
            SQLite::Statement asked(database, "SELECT number FROM answers WHERE pid = ?1");
            asked.bind(1, static_cast<std::int64_t>(::getpid()));
            return asked.executeStep() ? asked.getColumn(0).getInt64() : 0;
        })
        .value_or(0);
}

bool OriginReader::Private::is_running() const {
    return liveness_lock_held(path.substr(0, path.rfind('/') + 1) + std::string(kLockName))
        .value_or(false);
}

SQLite::Statement OriginReader::Private::of_boot(SQLite::Database& database,
                                                 const char* text) const {
    SQLite::Statement out(database, text);
    out.bind(1, boot.data(), static_cast<int>(boot.size()));
    out.bind(2, kMostRowsRead);
    return out;
}

void OriginReader::Private::load_processes(SQLite::Database& database) {
    auto row = of_boot(
        database,
        "SELECT id, pid, started, uid, program, executable, coalesce(command, ''), cgroup, "
        "cgroup_id, pid_namespace, coalesce(ended, 0), status FROM processes WHERE run IN (SELECT "
        "id FROM runs WHERE boot = ?1) ORDER BY id DESC LIMIT ?2");
    while (row.executeStep()) {
        const auto id = row.getColumn(0).getInt64();
        auto& one = processes[id];
        one = {.pid = row.getColumn(1).getInt64(),
               .started = row.getColumn(2).getInt64(),
               .uid = static_cast<std::uint32_t>(row.getColumn(3).getInt64()),
               .program = row.getColumn(4).getString(),
               .executable = row.getColumn(5).getString(),
               .command = row.getColumn(6).getString(),
               .cgroup = row.getColumn(7).getString(),
               .cgroup_id = static_cast<std::uint64_t>(row.getColumn(8).getInt64()),
               .pid_namespace = static_cast<std::uint64_t>(row.getColumn(9).getInt64()),
               .ended = {row.getColumn(10).getInt64()}};
        if (!row.getColumn(11).isNull()) one.status = row.getColumn(11).getInt();
    }
}

void OriginReader::Private::load_segments(SQLite::Database& database) {
    auto row = of_boot(database,
                       "SELECT id, run, kind, space, file, coalesce(maker, 0), named_by_program, "
                       "made, made_boot FROM segments WHERE run IN (SELECT id FROM runs WHERE boot "
                       "= ?1) ORDER BY id DESC LIMIT ?2");
    while (row.executeStep()) {
        Recorded one{.id = row.getColumn(0).getInt64(),
                     .run = row.getColumn(1).getInt64(),
                     .maker = row.getColumn(5).getInt64(),
                     .made_boot = row.getColumn(8).getInt64(),
                     .space = static_cast<std::uint64_t>(row.getColumn(3).getInt64())};
        one.origin.made = {row.getColumn(7).getInt64()};
        one.origin.last_event_boot = one.made_boot;
        one.origin.named_by_program = static_cast<survey::Answer>(row.getColumn(6).getInt());
        const auto key = key_of({static_cast<SegmentKind>(row.getColumn(2).getInt()), one.space,
                                 row.getColumn(4).getString()});
        by_key[key].push_back(segments.size());
        by_id[one.id] = segments.size();
        segments.push_back(std::move(one));
    }
}

void OriginReader::Private::load_acts(SQLite::Database& database) {
    auto row = of_boot(database,
                       "SELECT segment, coalesce(process, 0), what, time_boot FROM acts WHERE "
                       "segment >= (SELECT coalesce(min(id), 0) FROM segments WHERE run IN (SELECT "
                       "id FROM runs WHERE boot = ?1)) ORDER BY id DESC LIMIT ?2");
    while (row.executeStep()) {
        const auto found = by_id.find(row.getColumn(0).getInt64());
        if (found == by_id.end()) continue;
        auto& segment = segments[found->second];
        const auto process = row.getColumn(1).getInt64();
        const auto what = row.getColumn(2).getString();
        segment.origin.last_event_boot =
            std::max(segment.origin.last_event_boot, row.getColumn(3).getInt64());
        if (process != segment.maker &&
            (what == to_string(What::linked) || what == to_string(What::renamed)))
            segment.origin.renamed = true;
        if (process != 0)
            segment.openers.push_back(process);
        else
            segment.unidentified = true;
    }
}

void OriginReader::Private::load_gaps(SQLite::Database& database) {
    SQLite::Statement gap(database, "SELECT space, end_boot, reason FROM gaps WHERE run = ?1");
    gap.bind(1, run);
    while (gap.executeStep())
        gaps.push_back({static_cast<std::uint64_t>(gap.getColumn(0).getInt64()),
                        gap.getColumn(1).getInt64(), gap.getColumn(2).getString()});
    SQLite::Statement place(database, "SELECT space, since_boot FROM places WHERE run = ?1");
    place.bind(1, run);
    while (place.executeStep())
        since[static_cast<std::uint64_t>(place.getColumn(0).getInt64())] =
            place.getColumn(1).getInt64();
}

// As of one moment.
void OriginReader::Private::load(SQLite::Database& database) {
    processes.clear();
    segments.clear();
    by_key.clear();
    by_id.clear();
    gaps.clear();
    since.clear();
    SQLite::Transaction moment(database);
    auto last = of_boot(database, "SELECT max(id) FROM runs WHERE boot = ?1 LIMIT ?2");
    run = last.executeStep() ? last.getColumn(0).getInt64() : 0;
    load_processes(database);
    load_segments(database);
    load_acts(database);
    load_gaps(database);
}

std::string OriginReader::Private::gap_of(const Recorded& segment) const {
    if (segment.made_boot == 0) return "it was made before it was watched";
    if (segment.run != run) return "the origin log was restarted since it was made";
    const auto place = since.find(segment.space);
    if (place == since.end() || place->second > segment.made_boot)
        return "its file system was not watched all the time";
    for (const auto& gap : gaps)
        if ((gap.space == 0 || gap.space == segment.space) && gap.end >= segment.made_boot)
            return gap.reason;
    if (segment.maker == 0) return "its maker had ended before it could be identified";
    if (segment.unidentified)
        return "a process that used it had ended before it could be identified";
    return caught_up ? std::string() : "the origin log does not respond";
}

OriginReader::OriginReader(std::unique_ptr<Private> d) : d_(std::move(d)) {}
OriginReader::~OriginReader() = default;

std::unique_ptr<OriginReader> OriginReader::open(const std::string& path) {
    if (!is_roots(path)) return nullptr;
    auto d = std::make_unique<Private>(path);
    auto boot = boot_id();
    if (!boot || !d->connection.open()) return nullptr;
    d->boot = std::move(*boot);
    return std::unique_ptr<OriginReader>(new OriginReader(std::move(d)));
}

// The log is told of this process by the kernel, as of every other that opens a directory there,
// and notes when everything before it is recorded.
bool OriginReader::Private::wait(int directory) {
    if (!is_running()) return false;
    const auto before = answer();
    const Handle asks(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto give_up = monotonic_nanos() + kPatience;
    while (asks && monotonic_nanos() < give_up) {
        if (answer() > before) return true;
        ::usleep(kPauseMicros);
    }
    return false;
}

void OriginReader::be_seen(int directory) {
    (void)d_->wait(directory);
}

bool OriginReader::catch_up(int directory) {
    d_->caught_up = d_->wait(directory);
    d_->loaded = d_->connection
                     .run([this](SQLite::Database& database) {
                         d_->load(database);
                         return true;
                     })
                     .value_or(false);
    return d_->caught_up && d_->loaded;
}

std::optional<Origin> OriginReader::find(const survey::SegmentIdentity& segment) {
    if (!d_->loaded) return std::nullopt;
    const auto found = d_->by_key.find(key_of(segment));
    if (found == d_->by_key.end()) return std::nullopt;
    // The newest first. Several: not all of it is in one of them.
    const auto& rows = found->second;
    const auto made = std::find_if(rows.begin(), rows.end(),
                                   [&](std::size_t at) { return d_->segments[at].made_boot != 0; });
    const auto& recorded = d_->segments[made == rows.end() ? rows.front() : *made];
    auto out = recorded.origin;
    const auto process = [&](std::int64_t id) -> const RecordedProcess* {
        const auto known = d_->processes.find(id);
        return known == d_->processes.end() ? nullptr : &known->second;
    };
    bool all = rows.size() == 1;
    if (const auto* maker = process(recorded.maker)) out.maker = *maker;
    auto openers = recorded.openers;
    std::sort(openers.begin(), openers.end());
    openers.erase(std::unique(openers.begin(), openers.end()), openers.end());
    for (const auto id : openers) {
        if (id == recorded.maker) continue;
        const auto* opener = process(id);
        all = all && opener;
        if (opener) out.openers.push_back(*opener);
    }
    out.gap = all ? d_->gap_of(recorded) : "a part of its history was removed";
    out.whole = out.gap.empty() && out.maker;
    return out;
}

std::string database_path() {
    const char* set = std::getenv("SNAKEPIT_SHM_ORIGINS_DIR");
    return std::string(set && *set != '\0' ? set : kUsualPlace) + "/" + std::string(kDatabaseName);
}

}  // namespace snakepit::shm::origins
