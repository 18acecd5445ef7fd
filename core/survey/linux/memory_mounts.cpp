// SPDX-License-Identifier: MIT
#include "survey/linux/memory_mounts.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

#include <fmt/format.h>

#include "platform/linux/kernel_text.h"
#include "survey/linux/proc_files.h"

namespace snakepit::shm::survey {

namespace {

constexpr const char* kOurs = "self";  // directory under /proc
constexpr std::size_t kMostViews = 4096;
constexpr std::uint64_t kCached = 0x20;  // RESOLVE_CACHED, since Linux 5.12

constexpr std::array<std::string_view, 6> kKernels{"sysfs",   "proc",  "cgroup",
                                                   "cgroup2", "tmpfs", "devtmpfs"};

// One line of mountinfo.
struct MountLine {
    std::uint64_t number = 0, parent = 0, device = 0;
    std::string root, point;
    std::string_view type, options;  // of the file system
    bool idmapped = false;           // shows files with other ids
};

std::string_view take_word(std::string_view& line) {
    const auto end = std::min(line.find(' '), line.size());
    const auto word = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return word;
}

bool has_option(std::string_view options, std::string_view wanted) {
    while (!options.empty()) {
        const auto option = options.substr(0, options.find(','));
        if (option == wanted) return true;
        options.remove_prefix(std::min(option.size() + 1, options.size()));
    }
    return false;
}

// "36 35 98:0 /root /point rw,noatime … - type source options"
MountLine parse_mount(std::string_view line) {
    MountLine out;
    auto number = take_word(line);
    out.number = static_cast<std::uint64_t>(std::max<std::int64_t>(take_number(number), 0));
    auto parent = take_word(line);
    out.parent = static_cast<std::uint64_t>(std::max<std::int64_t>(take_number(parent), 0));
    auto device = take_word(line);
    const auto major_number = take_number(device);
    device.remove_prefix(std::min<std::size_t>(1, device.size()));
    out.device =
        makedev(static_cast<unsigned>(major_number), static_cast<unsigned>(take_number(device)));
    const auto root = take_word(line), point = take_word(line), flags = take_word(line);
    out.idmapped = has_option(flags, "idmapped");
    while (!line.empty() && take_word(line) != "-") {
    }
    out.type = take_word(line);
    (void)take_word(line);
    out.options = line;
    if (out.type == "tmpfs" || out.type == "devtmpfs" || out.type == "nsfs" ||
        out.type == "overlay" || out.idmapped) {
        out.root = unescaped(root);
        out.point = unescaped(point);
    }
    return out;
}

// Separated by colons; one in a path is written as \:.
void add_layers(const std::string& value, std::vector<std::string>& out) {
    std::string path;
    const auto end_path = [&] {
        if (!path.empty()) out.push_back(path);
        path.clear();
    };
    for (std::size_t at = 0; at < value.size(); ++at) {
        if (value[at] == '\\' && at + 1 < value.size())
            path += value[++at];
        else if (value[at] == ':')
            end_path();
        else
            path += value[at];
    }
    end_path();
}

// The directories of an overlay: "lowerdir=/a:/b,upperdir=/c", "lowerdir+=/a".
std::vector<std::string> layers_of(std::string_view options) {
    std::vector<std::string> out;
    while (!options.empty()) {
        const auto option = options.substr(0, options.find(','));
        options.remove_prefix(std::min(option.size() + 1, options.size()));
        const auto key = option.substr(0, option.find('='));
        const bool is_layer = key.starts_with("lowerdir") || key.starts_with("upperdir") ||
                              key.starts_with("datadir");
        if (is_layer && key.size() < option.size())
            add_layers(unescaped(option.substr(key.size() + 1)), out);
    }
    return out;
}

// The path to a mount point must be in the kernel's cache: otherwise a server might have to be
// contacted, which must not block us. The kernel's own file systems contact no server, and are not
// cached.
Handle open_mount(int root, const std::string& point, unsigned flags, bool asks_nobody) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | kCached;
    auto file = ::syscall(SYS_openat2, root, point.c_str(), &how, sizeof how);
    if (file < 0 && (errno == EINVAL || (errno == EAGAIN && asks_nobody))) {
        how.resolve &= ~kCached;
        file = ::syscall(SYS_openat2, root, point.c_str(), &how, sizeof how);
    }
    return Handle(static_cast<int>(file));
}

void count(MemoryMount& mount, int root, bool asks_nobody) {
    const auto directory = open_mount(root, mount.place.path, O_PATH, asks_nobody);
    struct stat info {};
    if (directory && ::fstat(directory.get(), &info) == 0 && info.st_dev == mount.device)
        fill_space(mount, directory.get());
}

class Reader {
  public:
    Reader(const ProcessTable& table, MemoryMounts& out) : table_(table), out_(out) {
        for (const auto& process : table.processes()) {
            lived_in_.insert(process.mount_ns);
            lived_in_.insert(process.ipc_ns);
        }
        for (const auto& kept : out.kept) lived_in_.insert(kept.number);
    }

    // `home`: the process with this view, a directory under /proc. `name_space`: 0 for our own.
    void read(const std::string& home, const View& view, std::uint64_t name_space) {
        auto& devices = out_.views[view];
        const auto text = read_file(table_.proc(), (home + "/mountinfo").c_str());
        if (!text) return;
        const Handle root(
            ::openat(table_.proc(), (home + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        std::string_view rest(*text);
        while (!rest.empty()) {
            const auto end = std::min(rest.find('\n'), rest.size());
            const auto mount = parse_mount(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
            out_.numbers.insert(mount.number);
            if (mount.idmapped) out_.idmapped.try_emplace(mount.device, mount.point);
            if (mount.type == "overlay") take_overlay(mount, root);
            if (std::find(kKernels.begin(), kKernels.end(), mount.type) != kKernels.end())
                kernels_.insert(mount.number);
            if (mount.type == "nsfs") {
                take_namespace(mount, root);
            } else if (mount.type == "tmpfs" || mount.type == "devtmpfs") {
                take_memory(mount, root, name_space);
                if (std::find(devices.begin(), devices.end(), mount.device) == devices.end())
                    devices.push_back(mount.device);
                if (mount.root != "/") take_file(mount, root, home);
            }
        }
    }

  private:
    void take_memory(const MountLine& mount, const Handle& root, std::uint64_t name_space) {
        const auto known =
            std::find_if(out_.memory.begin(), out_.memory.end(),
                         [&](const auto& other) { return other.device == mount.device; });
        if (known != out_.memory.end() && known->reached) return;
        MemoryMount found{.device = mount.device};
        found.place.path = mount.point;
        found.place.name_space = name_space;
        if (root) count(found, root.get(), kernels_.contains(mount.parent));
        if (known == out_.memory.end()) {
            out_.memory.push_back(std::move(found));
        } else if (found.reached) {
            *known = std::move(found);
        }
    }

    // Its directories have paths in the namespace of whoever mounted it.
    void take_overlay(const MountLine& mount, const Handle& root) {
        auto [known, fresh] = out_.overlays.try_emplace(mount.device);
        auto& overlay = known->second;
        if (!fresh && !overlay.undetermined) return;
        overlay = {.point = mount.point};
        for (const auto& path : layers_of(mount.options)) {
            const auto directory = root && path.starts_with('/')
                                       ? open_mount(root.get(), path, O_PATH, false)
                                       : Handle();
            struct stat info {};
            if (directory && ::fstat(directory.get(), &info) == 0)
                overlay.devices.insert(info.st_dev);
            else
                overlay.undetermined = true;
        }
        overlay.undetermined = overlay.undetermined || overlay.devices.empty();
    }

    // Only a part of the file system is mounted there, perhaps a single file.
    void take_file(const MountLine& mount, const Handle& root, const std::string& home) {
        if (!root) return;
        const auto file =
            open_mount(root.get(), mount.point, O_PATH, kernels_.contains(mount.parent));
        struct stat info {};
        if (file && ::fstat(file.get(), &info) == 0 && S_ISREG(info.st_mode))
            out_.files.try_emplace(
                {info.st_dev, info.st_ino},
                home == kOurs ? mount.point : fmt::format("/proc/{}/root{}", home, mount.point));
    }

    void take_namespace(const MountLine& mount, const Handle& root) {
        std::string_view rest(mount.root);  // "ipc:[4026532834]"
        const auto kind = rest.substr(0, rest.find(':'));
        rest.remove_prefix(std::min(rest.find('[') + 1, rest.size()));
        const auto number = static_cast<std::uint64_t>(take_number(rest));
        if ((kind != "ipc" && kind != "mnt") || !lived_in_.insert(number).second) return;
        KeptNamespace kept{.number = number, .kind = std::string(kind)};
        kept.kept_by = fmt::format("the mount {}", mount.point);
        if (root)
            kept.entrance =
                open_mount(root.get(), mount.point, O_RDONLY, kernels_.contains(mount.parent));
        struct stat info {};
        if (kept.entrance && (::fstat(kept.entrance.get(), &info) != 0 || info.st_ino != number))
            kept.entrance.reset();
        out_.kept.push_back(std::move(kept));
    }

    const ProcessTable& table_;
    MemoryMounts& out_;
    std::set<std::uint64_t> lived_in_;           // or known already
    std::unordered_set<std::uint64_t> kernels_;  // mounts of the kernel's own file systems
};

}  // namespace

void add_idmapped(std::string_view text, std::map<std::uint64_t, std::string>& out) {
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (line.find("idmapped") == line.npos) continue;
        const auto mount = parse_mount(line);
        if (mount.idmapped) out.try_emplace(mount.device, mount.point);
    }
}

void fill_space(MemoryMount& mount, int directory) {
    struct statfs space {};
    if (::fstatfs(directory, &space) != 0) return;
    const auto unit = static_cast<std::uint64_t>(space.f_bsize);
    mount.reached = true;
    mount.counted = space.f_blocks != 0;
    auto& place = mount.place;
    place.total = space.f_blocks * unit;
    place.free = space.f_bavail * unit;
    place.used = (space.f_blocks - space.f_bfree) * unit;
    place.files_total = space.f_files;
    place.files_free = space.f_ffree;
}

MemoryMounts read_mounts(const ProcessTable& table) {
    MemoryMounts out;
    Reader reader(table, out);
    reader.read(kOurs, table.own_view(), 0);
    for (const auto& process : table.processes()) {
        // If neither is available, nothing else is either.
        if (process.mount_ns == 0 || process.root_inode == 0) continue;
        const auto view = view_of(process);
        if (out.views.contains(view)) continue;
        if (out.views.size() > kMostViews) {
            ++out.left_out;
            continue;
        }
        reader.read(home_of(process), view, process.mount_ns);
    }
    return out;
}

bool read_mounts_inside(const ProcessTable& table, const KeptNamespace& kept,
                        MemoryMounts& mounts) {
    const View view{kept.number, 0, 0};
    return kept.entrance && inside_mounts(kept, [&] {
               Reader(table, mounts).read("thread-self", view, kept.number);
           });
}

}  // namespace snakepit::shm::survey
