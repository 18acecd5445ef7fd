// SPDX-License-Identifier: MIT
#include "survey/linux/scan.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "base/pluralize.h"
#include "survey/known_programs.h"
#include "survey/linux/balance.h"
#include "survey/linux/file_events.h"
#include "survey/linux/proc_files.h"
#include "survey/linux/system_facts.h"

namespace snakepit::shm::survey {

namespace {

// System V times are whole seconds; the system's start is known to a hundredth.
constexpr std::int64_t kClockMargin = 2'000'000;  // microseconds

constexpr std::string_view kDeleted = " (deleted)";
constexpr std::string_view kQtFiles = "qipc_sharedmemory_";
constexpr int kQtProject = 'Q';

// Memory without a name is on internal file systems of the kernel, one per size of huge pages.
// Empty if none can be created.
std::vector<std::uint64_t> devices_of_memfds() {
    std::vector<std::uint64_t> out;
    const auto add = [&out](unsigned flags) {
        const Handle file(::memfd_create("survey", MFD_CLOEXEC | flags));
        struct stat info {};
        if (file && ::fstat(file.get(), &info) == 0 &&
            std::find(out.begin(), out.end(), info.st_dev) == out.end())
            out.push_back(info.st_dev);
        return !out.empty();
    };
    // Powers of two that are a huge page's size somewhere: 16 KiB to 16 GiB.
    if (add(0))
        for (unsigned power = 14; power <= 34; ++power) add(MFD_HUGETLB | power << MAP_HUGE_SHIFT);
    return out;
}

std::string_view without(std::string_view text, std::string_view suffix) {
    if (text.ends_with(suffix)) text.remove_suffix(suffix.size());
    return text;
}

}  // namespace

Result<Scan> Scan::run(const SurveyOptions& options) {
    const auto time = now();
    SHM_ASSIGN(auto table,
               ProcessTable::read(options.proc_path.empty() ? "/proc" : options.proc_path, time));
    auto mounts = read_mounts(table);
    SHM_ASSIGN(auto places, find_places(table, mounts, options.shm_path));
    add_kept(table, mounts, places);
    Scan scan(std::move(table), std::move(places), time);
    scan.mounts_ = std::move(mounts);
    scan.memfd_devices_ = devices_of_memfds();
    scan.make_room();
    for (const auto& place : scan.places_.files) scan.list_files(place);
    scan.put_names_in_order();
    for (const auto& place : scan.places_.tables) scan.list_table(place);
    scan.name_qt_segments();
    scan.look_at_processes(options);
    scan.look_at_kernel();
    // Last, so that nothing that was seen is missing.
    if (options.origins) scan.read_origins(*options.origins);
    return scan;
}

void Scan::read_origins(OriginSource& source) {
    (void)source.catch_up(places_.files.front().directory.get());
    std::vector<std::uint64_t> ids(segments_.size());
    for (const auto& [key, at] : tables_) ids[at] = key.number;
    origins_.resize(segments_.size());
    for (std::size_t at = 0; at < segments_.size(); ++at) {
        const auto identity = identity_of(segments_[at], ids[at]);
        if (!identity.file.empty()) origins_[at] = source.find(identity);
    }
}

SegmentIdentity Scan::identity_of(const HostSegment& segment, std::uint64_t id) const {
    if (segment.kind == SegmentKind::system_v)
        return {segment.kind, segment.name_space == 0 ? places_.own_ipc_ns : segment.name_space,
                table_identity(id, segment.creator.pid, segment.created)};
    const auto* place = file_place(segment);
    if (segment.kind != SegmentKind::posix || segment.unlinked || !place || !place->in_memory)
        return {};
    const auto file =
        open_file_below(place->directory.get(), path_of_name(*place, segment.name).c_str());
    struct stat info {};
    if (!file || ::fstat(file.get(), &info) != 0 || info.st_dev != segment.device ||
        info.st_ino != segment.inode)
        return {};
    return {segment.kind, file_system_of(file.get()), file_handle_of(file.get())};
}

const Origin* Scan::origin_of(const HostSegment& segment) const {
    const auto at = static_cast<std::size_t>(&segment - segments_.data());
    return at < origins_.size() && origins_[at] ? &*origins_[at] : nullptr;
}

void Scan::make_room() {
    struct statvfs space {};
    if (::fstatvfs(places_.files.front().directory.get(), &space) != 0) return;
    result_.shm_total = space.f_blocks * space.f_frsize;
    result_.shm_free = space.f_bavail * space.f_frsize;
    const auto files = std::min<std::size_t>(space.f_files - space.f_ffree, kMostSegments);
    segments_.reserve(files);
    files_.reserve(files);
}

void Scan::look_at_processes(const SurveyOptions& options) {
    LookOptions look{
        .memfd_devices = memfd_devices_, .as_text = options.every_mapping, .quick = options.quick};
    for (const auto& place : places_.files) look.devices.push_back(place.device);
    looked_ = table_.look(
        look, [this](const Process& process, const Sighting& seen) { use(process, seen); });
}

// The kernel stands in the list of users with pid 0.
void Scan::look_at_kernel() {
    for (auto& user : kernel_users(table_.proc())) {
        const auto found = files_.find({user.device, user.inode});
        if (found != files_.end())
            segments_[found->second].users.push_back(
                {0, 0, fmt::format("kernel: {}", user.label), UseKind::open});
        else if (user.inode == 0)
            undetermined_.push_back(std::move(user));
    }
}

void Scan::use(const Process& process, const Sighting& seen) {
    auto* segment = segment_of(process, seen);
    if (!segment) return;
    const auto how = seen.what == Sighting::What::system_v ? UseKind::attached
                     : seen.maps                           ? UseKind::maps
                                                           : UseKind::open;
    if (how == UseKind::attached && !memfd_devices_.empty() &&
        seen.device != memfd_devices_.front())
        segment->huge_pages = true;
    if (seen.maps)
        mapped_.push_back({static_cast<std::size_t>(segment - segments_.data()), process.pid,
                           seen.thread, seen.begin, seen.end});
    auto& users = segment->users;
    if (users.empty() || users.back().pid != process.pid)
        users.push_back({process.pid, process.uid, table_.name_of(process.pid), how});
    users.back().how = std::max(users.back().how, how);
}

HostSegment* Scan::segment_of(const Process& process, const Sighting& seen) {
    if (seen.what == Sighting::What::system_v) {
        const bool own = process.ipc_ns == places_.own_ipc_ns || process.ipc_ns == 0;
        const auto found = tables_.find({own ? 0 : process.ipc_ns, seen.inode});
        return found == tables_.end() ? nullptr : &segments_[found->second];
    }
    const auto found = files_.find({seen.device, seen.inode});
    if (found != files_.end()) {
        auto& segment = segments_[found->second];
        if (segment.touched.micros == 0 && !describe(segment, process, seen))
            segment.size = std::max(segment.size, seen.reaches);
        return &segment;
    }
    return nameless(process, seen);
}

// Attributes available only from a process that has it: through a descriptor, or for an
// administrator through a mapping.
bool Scan::describe(HostSegment& segment, const Process& process, const Sighting& seen) const {
    struct statx info {};
    if (::statx(table_.proc(), entry_of(process, seen).c_str(), AT_STATX_DONT_SYNC,
                STATX_BASIC_STATS | STATX_BTIME, &info) != 0)
        return false;
    describe_file(segment, info);
    return true;
}

// A memfd or an unlinked file; both exist only as long as they are used.
HostSegment* Scan::nameless(const Process& process, const Sighting& seen) {
    const bool memfd = seen.what == Sighting::What::memfd;
    HostSegment segment;
    segment.kind = memfd ? SegmentKind::memfd : SegmentKind::posix;
    const auto shown = path_of(table_.proc(), process, seen);
    const std::string_view path(shown);
    if (memfd ? !path.starts_with("/memfd:") : !path.ends_with(kDeleted)) return nullptr;
    segment.uid = process.uid;
    segment.size = seen.reaches;
    // A segment with this name is in a place that was not scanned.
    if (describe(segment, process, seen) && !memfd && !segment.unlinked) return nullptr;
    segment.device = seen.device;
    segment.inode = seen.inode;
    segment.unlinked = !memfd;
    const auto name = without(path, kDeleted);
    segment.label = memfd ? name.substr(1) : name.substr(name.rfind('/') + 1);
    segment.name = fmt::format("{}:{}:{}", memfd ? "memfd" : "unlinked", seen.device, seen.inode);
    segment.names = {segment.name};
    segment.user = user_name(segment.uid);
    if (process.mount_ns != 0) note_namespace(segment, process);
    files_.emplace(SegmentKey{seen.device, seen.inode}, segments_.size());
    segments_.push_back(std::move(segment));
    return &segments_.back();
}

// Qt makes System V keys of files in the directory for temporary ones.
void Scan::name_qt_segments() {
    const auto may_be_qt = [](const HostSegment& segment) {
        return segment.kind == SegmentKind::system_v &&
               (static_cast<std::uint32_t>(segment.key) >> 24) == kQtProject;
    };
    if (std::none_of(segments_.begin(), segments_.end(), may_be_qt)) return;
    const auto directory = open_directory(AT_FDCWD, "/tmp");
    if (!directory) return;
    while (const auto* entry = ::readdir(directory.get())) {
        const std::string_view name(entry->d_name);
        if (!name.starts_with(kQtFiles)) continue;
        const auto key = ::ftok(fmt::format("/tmp/{}", name).c_str(), kQtProject);
        for (auto& segment : segments_)
            if (may_be_qt(segment) && static_cast<key_t>(segment.key) == key) segment.label = name;
    }
}

const std::string& Scan::user_name(std::uint32_t uid) {
    auto [known, fresh] = users_.try_emplace(uid);
    if (!fresh) return known->second;
    passwd entry{}, *found = nullptr;
    std::array<char, 16384> buffer;
    (void)::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
    return known->second = found ? found->pw_name : fmt::format("{}", uid);
}

// Directories are unordered; the first of several names represents the segment.
void Scan::put_names_in_order() {
    for (auto& segment : segments_) {
        std::sort(segment.names.begin(), segment.names.end());
        segment.name = segment.names.front();
        if (segment.names.size() > 1)
            segment.label = path_of_name(*file_place(segment), segment.name);
    }
}

// A file without a name belongs to the place of its users.
void Scan::note_namespace(HostSegment& segment, const Process& process) const {
    const auto own = namespace_of(table_.proc(), "self/ns/mnt");
    const auto place =
        std::find_if(places_.files.begin(), places_.files.end(),
                     [&](const FilePlace& other) { return other.device == segment.device; });
    if (process.mount_ns == own || (place != places_.files.end() && place->name_space == 0)) return;
    segment.name_space = process.mount_ns;
    segment.container = container_of(table_, process.pid);
}

const FilePlace* Scan::file_place(const HostSegment& segment) const {
    const auto found =
        std::find_if(places_.files.begin(), places_.files.end(),
                     [&](const FilePlace& place) { return place.device == segment.device; });
    return found == places_.files.end() ? nullptr : &*found;
}

const TablePlace* Scan::table_place(const HostSegment& segment) const {
    const auto found = std::find_if(
        places_.tables.begin(), places_.tables.end(),
        [&](const TablePlace& place) { return place.name_space == segment.name_space; });
    return found == places_.tables.end() ? nullptr : &*found;
}

// False only if it certainly has no access control list.
bool Scan::may_have_acl(const HostSegment& segment) const {
    const auto& place = *file_place(segment);
    const auto path = fmt::format("/proc/self/fd/{}/{}", place.directory.get(),
                                  path_of_name(place, segment.name));
    return ::lgetxattr(path.c_str(), "system.posix_acl_access", nullptr, 0) >= 0 ||
           (errno != ENODATA && errno != ENOTSUP);
}

// Memory does not survive a reboot, and nothing was created in the future: such times mean that the
// wall clock was set.
bool Scan::clock_was_stepped() const {
    const auto start = table_.boot().micros + boot_offset(table_.proc());
    const auto kept_on_disk = [this](const HostSegment& segment) {
        return segment.kind == SegmentKind::posix && !places_.files.front().in_memory &&
               segment.device == places_.files.front().device;
    };
    return std::any_of(segments_.begin(), segments_.end(), [&](const HostSegment& segment) {
        const auto made = segment.created.micros;
        return made > 0 && !kept_on_disk(segment) &&
               (made + kClockMargin < start || made > now_.micros + kClockMargin);
    });
}

void Scan::tell_limits(bool stepped) {
    auto& limits = places_.limits;
    if (looked_.unreadable.count > 0)
        limits.push_back(fmt::format(
            "{} could not be inspected, so {} segments may show as unused: {}.",
            pluralize(looked_.unreadable.count, "process", "processes"),
            looked_.unreadable.count == 1 ? "its" : "their", named(table_, looked_.unreadable)));
    if (left_out_ > 0)
        limits.push_back(fmt::format("There are more than {} directories; {} were left out.",
                                     kMostDirectories, left_out_));
    if (segments_.size() >= kMostSegments)
        limits.push_back(
            fmt::format("There are more than {} segments; not all are listed.", kMostSegments));
    if (stepped)
        limits.emplace_back(
            "The clock was set since the system started: ages of segments created before that are "
            "wrong.");
}

Setting Scan::setting(bool stepped, const SystemView& system) const {
    Setting out{.now = now_,
                .boot_now = boot_micros() - boot_offset(table_.proc()),
                .processes = table_,
                .system = system,
                .instances = instances_,
                .complete = looked_.unreadable.count == 0 && looked_.threads_left_out == 0 &&
                            !table_.threads_left_out(),
                .outermost = places_.outermost,
                .all_listed = table_.all_listed(),
                .stepped = stepped,
                .mounted = mounts_.files};
    for (const auto& segment : segments_) {
        if (segment.attached == 0 && segment.users.empty()) continue;
        const auto creator = segment.kind == SegmentKind::posix && segment.name_space == 0
                                 ? recognise(segment.kind, segment.label).creator
                                 : segment.creator.pid;
        if (creator > 0) out.busy_creators.insert(creator);
    }
    return out;
}

HostSurvey Scan::survey() {
    auto& out = result_;
    out.time = now_;
    out.processes = table_.listed() - looked_.unreadable.count;
    out.unreadable = looked_.unreadable.count;
    const bool stepped = clock_was_stepped();
    tell_limits(stepped);
    // Adds the mounts of namespaces that only a descriptor keeps.
    out.balance = balance_of({table_, places_, mounts_, looked_, segments_,
                              memfd_devices_.empty() ? 0 : memfd_devices_.front()});
    const SystemFacts system(table_, mounts_, undetermined_);
    const auto all = setting(stepped, system);
    std::map<std::int64_t, std::string> groups;
    for (auto& segment : segments_) {
        judge(segment, all, origin_of(segment));
        // Checked last, because it needs another system call.
        if (segment.kind == SegmentKind::posix && segment.verdict == SegmentVerdict::left_over &&
            segment.confidence_if_unused >= kCertain && may_have_acl(segment)) {
            segment.has_acl = true;
            judge(segment, all, origin_of(segment));
        }
        const auto creator = segment.creator.pid;
        if (segment.creator.life != Life::lives || creator <= 0) continue;
        auto [known, fresh] = groups.try_emplace(creator);
        if (fresh) known->second = control_group_of(table_, creator);
        segment.creator.cgroup = known->second;
    }
    out.system_v = system_v_limits(table_, segments_);
    out.limits = places_.limits;
    out.segments = std::move(segments_);
    return std::move(out);
}

void Scan::add_payers(HostSurvey& survey, const SegmentMemory* memory) const {
    find_payers(table_, mapped_, memory, survey);
}

}  // namespace snakepit::shm::survey
