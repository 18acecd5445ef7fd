// SPDX-License-Identifier: MIT
#include "origins/linux/origin_log.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>

#include <fmt/format.h>

#include "platform/process_lock.h"
#include "survey/known_programs.h"
#include "survey/linux/memory_mounts.h"
#include "survey/linux/places.h"
#include "survey/linux/proc_files.h"

namespace snakepit::shm::origins {

namespace {

constexpr std::int64_t kMinute = 60 * kMicrosPerSecond;
// While only known processes act, their events can wait: each wake costs more than an event.
constexpr std::int64_t kPause = 30'000;
constexpr std::int64_t kPlacesAtMost = 2 * kMicrosPerSecond;  // how often places are looked for
constexpr std::int64_t kPlacesShare = 300;  // and the part of the time that it may take
constexpr std::size_t kEventsAtOnce = 4096;
constexpr std::size_t kMostRows = 50'000;       // that wait to be written
constexpr std::size_t kMostSegments = 200'000;  // in memory
constexpr std::size_t kMostOpened = 400'000;
constexpr std::uint64_t kEvents = FAN_CREATE | FAN_OPEN | FAN_RENAME | FAN_DELETE | FAN_ONDIR;

std::string key_of(std::uint64_t file_system, std::string_view file) {
    std::string out(reinterpret_cast<const char*>(&file_system), sizeof file_system);
    return out.append(file);
}

std::uint64_t hash_of(std::int64_t segment, std::int64_t process) {
    return (static_cast<std::uint64_t>(segment) * 0x9E3779B97F4A7C15ULL) ^
           (static_cast<std::uint64_t>(process) * 0xC2B2AE3D27D4EB4FULL);
}

Result<Handle> lock(const std::string& database) {
    constexpr int kPatienceMs = 2000;
    const auto path = database.substr(0, database.rfind('/') + 1) + std::string(kLockName);
    Handle file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return fail(system_error(errno, fmt::format("cannot open {}", path)));
    if (!lock_for_life(file, kPatienceMs))
        return fail(ErrorCode::instance_in_use,
                    fmt::format("another origin log already writes {}", database),
                    "stop it first: systemctl stop snakepit-shm-origins");
    return file;
}

}  // namespace

Result<OriginLog> OriginLog::open(LogOptions options) {
    SHM_ASSIGN(auto held, lock(options.database));
    SHM_ASSIGN(auto events, survey::FileEvents::open(FAN_REPORT_PIDFD));
    SHM_ASSIGN(auto processes, RecordedProcesses::open(0, options.commands));
    OriginLog log(std::move(options), std::move(events), std::move(processes));
    log.lock_ = std::move(held);
    log.now_ = Moment::now();
    SHM_TRY(log.open_store());
    log.find_places();
    log.commit();
    return log;
}

// Begins a run: what was recorded before it has a gap.
Status OriginLog::open_store() {
    std::string note;
    SHM_ASSIGN(auto store, OriginStore::open(options_.database, note));
    if (!note.empty()) options_.report(note);
    store_ = std::move(store);
    SHM_ASSIGN(processes_, RecordedProcesses::open(store_->last_process(), options_.commands));
    last_segment_ = store_->last_segment();
    segments_.clear();
    opened_.clear();
    tables_.forget_all();
    batch_ = {};
    if (const auto before = store_->previous_until(); before > 0)
        batch_.gaps.push_back({0, before, now_.boot, "the origin log was not running"});
    for (const auto& [space, path] : watched_) batch_.places.push_back({space, path, now_});
    committed_at_ = read_until_ = now_.boot;
    next_tables_ = 0;
    return {};
}

Status OriginLog::run(const Handle& stop) {
    for (bool stopped = false; !stopped;) turn(stop, stopped);
    now_ = Moment::now();
    read_events();
    processes_.note_ends(now_, batch_);
    commit();
    return {};
}

int OriginLog::wait_ms() {
    auto until = std::min({next_places_, next_tables_, committed_at_ + kMinute});
    if (batch_.rows() > 0 || !store_) until = std::min(until, committed_at_ + kMicrosPerSecond);
    const auto wait = std::max<std::int64_t>(until - boot_micros(), 0) / 1000 + 1;
    return static_cast<int>(std::min<std::int64_t>(wait, 1000));
}

void OriginLog::turn(const Handle& stop, bool& stopped) {
    const auto pause = std::max(budget_.wait_ms(), (read_again_at_ - boot_micros()) / 1000);
    std::array<pollfd, 3> files{{{stop.get(), POLLIN, 0},
                                 {processes_.descriptor(), POLLIN, 0},
                                 {pause > 0 ? -1 : events_.descriptor(), POLLIN, 0}}};
    const auto wait = pause > 0 ? std::min<std::int64_t>(wait_ms(), pause) : wait_ms();
    (void)::poll(files.data(), files.size(), static_cast<int>(wait));
    stopped = files[0].revents != 0;
    now_ = Moment::now();
    if (files[2].revents != 0) read_events();
    if (files[1].revents != 0) processes_.note_ends(now_, batch_);
    if (budget_.wait_ms() == 0 && now_.boot >= next_places_) find_places();
    const bool due = now_.boot - committed_at_ >= kMicrosPerSecond;
    if (now_.boot >= next_tables_ || (due && !batch_.answers.empty())) read_tables();
    if (batch_.rows() > kMostRows) forget_all("there was more than could be written");
    if (due && (batch_.rows() > 0 || !store_ || now_.boot - committed_at_ >= kMinute)) commit();
}

void OriginLog::read_events() {
    const auto processes = batch_.processes.size();
    all_known_ = true;
    const bool more = events_.drain(kEventsAtOnce, [this](survey::FileEvent& event) {
        if (store_) on_event(event);
    });
    all_known_ = all_known_ && processes == batch_.processes.size();
    read_again_at_ = all_known_ && !more ? now_.boot + kPause : 0;
    if (!more) read_until_ = now_.boot;
}

void OriginLog::on_event(survey::FileEvent& event) {
    if ((event.what & FAN_Q_OVERFLOW) != 0)
        return gap(0, read_until_, "more happened than could be recorded");
    if (event.pid == ::getpid()) return;
    if ((event.what & FAN_ONDIR) != 0) {
        auto& answers = batch_.answers;
        if ((event.what & FAN_OPEN) != 0 && event.pid > 0 &&
            std::find(answers.begin(), answers.end(), event.pid) == answers.end())
            answers.push_back(event.pid);
        return;
    }
    if (event.file.empty()) return;
    const auto process = processes_.identify(event.pid, std::move(event.process), now_, batch_);
    all_known_ = all_known_ && process != 0;
    on_file(event, process);
}

OriginLog::Segment& OriginLog::segment_of(const survey::FileEvent& event, std::int64_t process,
                                          bool created) {
    if (segments_.size() > kMostSegments) segments_.clear();
    auto [known, fresh] = segments_.try_emplace(key_of(event.file_system, event.file));
    if (!fresh) return known->second;
    known->second = {++last_segment_, created ? process : 0};
    SegmentRow row{.id = last_segment_,
                   .identity = {SegmentKind::posix, event.file_system, std::string(event.file)},
                   .name = std::string(event.name)};
    if (created) {
        row.maker = process;
        row.maker_pid = event.pid;
        row.made = now_;
        const auto* program = survey::recognise(SegmentKind::posix, event.name).known;
        if (program && program->software != 0 && process != 0)
            row.named_by_program = processes_.runs(process, event.pid, program->software);
    }
    batch_.segments.push_back(std::move(row));
    return known->second;
}

// An event may be several, in this order.
void OriginLog::on_file(survey::FileEvent& event, std::int64_t process) {
    const bool created = (event.what & FAN_CREATE) != 0;
    const auto before = last_segment_;
    auto& segment = segment_of(event, process, created);
    const auto act = [&](What what, std::string_view name) {
        batch_.acts.push_back({segment.id, process, event.pid, what, std::string(name), now_});
    };
    if (created && last_segment_ == before) {
        // The kernel may report the end of its first name before the second.
        if (++segment.names == 1) note_removal(segment.id, 0);
        act(What::linked, event.name);
    }
    const bool ours = processes_.is_ours(process, event.pid);
    if ((event.what & FAN_OPEN) != 0 && !ours && (process == 0 || process != segment.maker)) {
        if (opened_.size() > kMostOpened) opened_.clear();
        // One that has ended is told by its number.
        const auto who = process != 0 ? process : -event.pid - 1;
        if (opened_.insert(hash_of(segment.id, who)).second) act(What::opened, {});
    }
    if ((event.what & FAN_RENAME) != 0 && !ours) act(What::renamed, event.new_name);
    if ((event.what & FAN_DELETE) != 0) {
        if (process == 0 || process != segment.maker || segment.names > 1)
            act(What::removed, event.name);
        else
            note_removal(segment.id, now_.boot);
        if (--segment.names > 0) return;
        segment.removed = now_.boot;
        removed_.push_back(key_of(event.file_system, event.file));
    }
}

// Of what has had no name for a second.
void OriginLog::forget_removed() {
    std::vector<std::string> later;
    for (auto& key : removed_) {
        const auto found = segments_.find(key);
        if (found == segments_.end() || found->second.names > 0) continue;
        if (now_.boot - found->second.removed < kMicrosPerSecond)
            later.push_back(std::move(key));
        else
            segments_.erase(found);
    }
    removed_ = std::move(later);
}

// By its maker; 0: it has a name again. Most segments do not live for long: then it is in the row
// that is to be written.
void OriginLog::note_removal(std::int64_t segment, std::int64_t boot) {
    auto& rows = batch_.segments;
    if (!rows.empty() && segment >= rows.front().id)
        rows[static_cast<std::size_t>(segment - rows.front().id)].removed_boot = boot;
    else
        batch_.removals.push_back({segment, boot});
}

void OriginLog::watch(int directory, const std::string& path) {
    const auto space = survey::file_system_of(directory);
    if (space == 0 || watched_.contains(space)) return;
    if (const auto done = events_.watch(directory, kEvents); !done) {
        if (unwatched_.insert(space).second)
            options_.report(fmt::format("{}: {}", path, done.error().sentence()));
        return;
    }
    watched_[space] = path;
    batch_.places.push_back({space, path, Moment::now()});
}

// Those of other namespaces are found by their processes. Nothing is kept open: that would keep
// mounts and namespaces.
void OriginLog::find_places() {
    const auto began = boot_micros();
    if (options_.only_there) {
        const Handle own(::open(options_.shm_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (own) watch(own.get(), options_.shm_path);
    } else if (auto table = survey::ProcessTable::read("/proc", now_.wall)) {
        if (const auto places = survey::find_places(*table, {}, options_.shm_path)) {
            for (const auto& place : places->files)
                if (place.in_memory) watch(place.directory.get(), place.path);
            for (const auto& place : places->tables) {
                if (place.name_space == 0) continue;
                (void)survey::inside(place, [&] { read_table(place.name_space); });
            }
        }
    }
    const auto took = boot_micros() - began;
    next_places_ = boot_micros() + std::max(kPlacesAtMost, took * kPlacesShare);
}

void OriginLog::read_table(std::uint64_t name_space) {
    const auto text = survey::read_file(AT_FDCWD, "/proc/sysvipc/shm");
    if (!text || !store_) return;
    tables_.read(name_space, *text, now_, processes_, last_segment_, batch_);
    if (watched_.emplace(name_space, fmt::format("IPC namespace {}", name_space)).second)
        batch_.places.push_back({name_space, watched_[name_space], now_});
}

void OriginLog::read_tables() {
    if (own_table_ == 0) own_table_ = survey::namespace_of(AT_FDCWD, "/proc/self/ns/ipc");
    read_table(own_table_);
    next_tables_ = now_.boot + kMicrosPerSecond;
}

void OriginLog::gap(std::uint64_t space, std::int64_t begin, std::string reason) {
    // One row for as long as it goes on.
    for (auto& known : batch_.gaps) {
        if (known.space != space || known.reason != reason) continue;
        known.end = now_.boot;
        return;
    }
    batch_.gaps.push_back({space, begin, now_.boot, std::move(reason)});
}

void OriginLog::forget_all(const std::string& reason) {
    batch_ = {};
    segments_.clear();
    opened_.clear();
    tables_.forget_all();
    processes_.forget_all();
    gap(0, committed_at_, reason);
}

void OriginLog::commit() {
    if (!store_ || store_->moved()) {
        store_.reset();
        if (const auto opened = open_store(); !opened) return tell_failure(opened.error());
    }
    if (const auto written = store_->add(batch_, {read_until_, now_.wall}); !written) {
        tell_failure(written.error());
        store_.reset();
        return;
    }
    failing_ = false;
    forget_removed();
    batch_ = {};
    committed_at_ = now_.boot;
    if (now_.boot < next_retention_) return;
    const auto more = store_->retain(options_.limits, now_);
    next_retention_ = now_.boot + (more.value_or(false) ? kMicrosPerSecond : kMinute);
}

// Once for as long as it lasts.
void OriginLog::tell_failure(const Error& error) {
    committed_at_ = now_.boot;
    batch_ = {};
    if (!std::exchange(failing_, true)) options_.report(error.sentence());
}

}  // namespace snakepit::shm::origins
